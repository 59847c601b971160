package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGoPage compiles the tests of the page as the package of a project, and runs their
// fast scenarios, with its settings.
func TestGoPage(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	module := "module example.org/shop\n\ngo 1.26\n\nreplace github.com/finwait/finwait => " + root +
		"\nrequire github.com/finwait/finwait v0.0.0\n"
	sums := ""
	for _, from := range []string{"..", "../targets/gorilla", "../targets/coder"} { // with the versions that are measured
		mod, err := os.ReadFile(filepath.Join(from, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := os.ReadFile(filepath.Join(from, "go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		for _, required := range regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+ v\S+)`).FindAllStringSubmatch(string(mod), -1) {
			module += "require " + required[1] + "\n"
		}
		sums += string(sum)
	}
	write("go.mod", module)
	write("go.sum", sums)
	n := 0
	for _, b := range blocks(t, "go.md") {
		switch b.language {
		case "go":
			n++
			write(b.file, fmt.Sprintf("//line %s:%d\n%s", filepath.Join(root, "docs", "go.md"), b.line+1, b.text))
		case "yaml":
			write(b.file, b.text)
		}
	}
	if n < 4 {
		t.Fatalf("%d blocks of Go", n)
	}
	goCommand := func(args ...string) (string, error) {
		c := exec.Command("go", args...)
		c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := goCommand("mod", "download", "github.com/gorilla/websocket", "github.com/coder/websocket"); err != nil {
		t.Skipf("needs gorilla/websocket and coder/websocket, see make targets: %s", strings.TrimSpace(out))
	}
	if out, err := goCommand("vet", "./..."); err != nil {
		t.Fatal(out)
	}
	if out, err := goCommand("test", "-short", "./..."); err != nil {
		t.Error(out)
	}
}
