package reports_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/finwait/finwait/reports"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// A report through a symbolic link goes to the file that it leads to, whether
// that is there or not; the link stays.
func TestWriteFileThroughALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "kept", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	link(t, filepath.Join("kept", "deep"), filepath.Join(dir, "inner"))
	link(t, filepath.Join("..", "report"), filepath.Join(dir, "kept", "deep", "up")) // beside deep, and not beside inner
	path := filepath.Join(dir, "inner", "up")
	for _, want := range []string{"new", "old file, new text"} {
		if err := reports.CheckWritable(path); err != nil {
			t.Error(err)
		}
		if err := reports.WriteFile(path, text(want)); err != nil {
			t.Error(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "kept", "report")); string(got) != want {
			t.Errorf("the link's target holds %q, want %q", got, want)
		}
	}
	if _, err := os.Readlink(path); err != nil {
		t.Error("the link was replaced")
	}
	link(t, filepath.Join("missing", "report"), filepath.Join(dir, "astray"))
	if err := reports.CheckWritable(filepath.Join(dir, "astray")); err == nil {
		t.Error("a link into a missing directory can be written")
	}
}

func TestWriteFileKeepsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "report")
	for _, mode := range []os.FileMode{0o644, 0o600, 0o640} {
		if mode != 0o644 { // that of a new file
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := reports.WriteFile(path, text("x")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v, want %v (%v)", info.Mode(), mode, err)
		}
	}
}

func TestSameFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("there", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link("there", "hard"); err != nil {
		t.Fatal(err)
	}
	link(t, "there", "soft")
	link(t, "new", "dangling")
	link(t, ".", "here")
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"new", "./new", true}, {"new", filepath.Join(dir, "new"), true}, {"new", "dangling", true}, {"new", "here/new", true},
		{"there", "./there", true}, {"there", "soft", true}, {"there", "hard", true}, {"soft", "hard", true},
		{"new", "other", false}, {"there", "new", false}, {"soft", "dangling", false}, {"missing/new", "new", false},
	} {
		if reports.SameFile(c.a, c.b) != c.same || reports.SameFile(c.b, c.a) != c.same {
			t.Errorf("%s and %s: want %t", c.a, c.b, c.same)
		}
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Skip(err) // Windows wants a privilege for it
	}
}

// TestWriteFileHidesItsTemporaryFile: an error is about the file that was named.
func TestWriteFileHidesItsTemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	err := reports.WriteFile(path, func(io.Writer) error { return os.Mkdir(path, 0o700) }) // it cannot take that place
	if err == nil || strings.Contains(err.Error(), ".finwait-") || !strings.HasPrefix(err.Error(), "cannot write the report "+path+": ") {
		t.Errorf("%v", err)
	}
}
