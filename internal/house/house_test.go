// Package house holds the rules of the source tree that a compiler does not know.
package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	root   = "../.."
	module = "github.com/finwait/finwait"
)

// layers are the packages from the bottom up. A package imports only what stands
// further down; packages of one line do not import each other, but for internal ones.
var layers = []string{
	"internal",
	"peers sockets survival reference",
	"evidence",
	"rules",
	"servers",
	"contract",
	"harness",
	"scenarios crowds",
	"settings",
	"reports",
	"matrix",
	"page finwaittest",
	"accuracy accuracy/remote cmd/finwait",
}

// TestLayers: nothing imports upward. Tests may.
func TestLayers(t *testing.T) {
	height := map[string]int{}
	for i, line := range layers {
		for _, pkg := range strings.Fields(line) {
			height[pkg] = i
		}
	}
	for _, file := range files(t) {
		pkg := room(path.Dir(file))
		if pkg == "." || pkg == "docs" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		at, known := height[pkg]
		if !known {
			t.Errorf("%s: package %s has no place in the layers", file, pkg)
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			if below, own := strings.CutPrefix(name, module+"/"); own && height[room(below)] >= at && pkg != "internal" {
				t.Errorf("%s imports %s, which does not stand below it", file, below)
			} else if own && pkg == "internal" && room(below) != "internal" {
				t.Errorf("%s imports %s, which stands above it", file, below)
			}
		}
	}
}

// room is the line's name of a package.
func room(pkg string) string {
	if strings.HasPrefix(pkg, "internal/") {
		return "internal"
	}
	return pkg
}

// TestLengths: a file that is longer has a second concern; a line that is longer is
// not read. A raw string may be longer, and a test.
func TestLengths(t *testing.T) {
	const lines, columns = 400, 140
	for _, file := range files(t) {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if len(all) > lines {
			t.Errorf("%s has %d lines, more than %d", file, len(all), lines)
		}
		for i, line := range all {
			n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			if n > columns && !strings.Contains(line, "`") && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s:%d has %d columns, more than %d", file, i+1, n, columns)
			}
		}
	}
}

// files are the Go files of the tree.
func files(t *testing.T) (out []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "targets" || name == "node_modules" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case strings.HasSuffix(name, ".go"):
			out = append(out, name)
		}
		return nil
	})
	if err != nil || len(out) < 100 {
		t.Fatalf("%d files, error %v", len(out), err)
	}
	return out
}
