package matrix

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/finwait/finwait/internal/input"
)

// installed are folders that an install command fills.
var installed = []string{"node_modules", ".venv", "target", "__pycache__"}

// elsewhere is the folder of another target in a command, such as ../ws-8.
var elsewhere = regexp.MustCompile(`\.\./[\w.-]+`)

// inputs changes with what is measured: all that the target declares, but for
// what explains it, and the texts in its folder and in those that its commands
// name, but for what is installed there.
func (t *Target) inputs() string {
	h := sha256.New()
	own := *t
	own.Source, own.Notes, own.Races, own.Because, own.dir = "", "", nil, nil, ""
	own.Conventions = Conventions{} // which the outcome holds in words
	fmt.Fprintf(h, "%+v\n", own)
	dirs := append([]string{"."}, elsewhere.FindAllString(t.Install+" "+t.Start, -1)...)
	for _, dir := range slices.Compact(slices.Sorted(slices.Values(dirs))) {
		hashTexts(h, filepath.Join(t.dir, dir))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

// hashTexts adds the names and contents of a folder's texts. A target.yaml counts
// by what it declares, and what cannot be read by its error.
func hashTexts(h io.Writer, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			fmt.Fprintln(h, err)
			return nil
		case d.IsDir() && slices.Contains(installed, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || d.Name() == "target.yaml":
			return nil
		}
		text, err := input.Read(path, input.Report)
		if name, _ := filepath.Rel(dir, path); !bytes.ContainsRune(text, 0) { // else it is built
			fmt.Fprintf(h, "%s %d %v\n%s", filepath.ToSlash(name), len(text), err, text)
		}
		return nil
	})
}
