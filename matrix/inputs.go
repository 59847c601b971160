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

// installed are the names of folders that an install command fills.
var installed = []string{"node_modules", ".venv", "target", "__pycache__"}

// otherFolder matches the folder of another target in a command, such as ../ws-8.
var otherFolder = regexp.MustCompile(`\.\./[\w.-]+`)

// inputs returns a hash that changes if the target has to be measured again. The hash covers
// what the target declares, except its explanations. It also covers the text files in the
// target's folder and in the folders that its commands name, except installed files.
func (t *Target) inputs() string {
	h := sha256.New()
	own := *t
	own.Source, own.Notes, own.Races, own.Because, own.dir = "", "", nil, nil, ""
	own.Conventions = Conventions{} // the outcome has them as text
	fmt.Fprintf(h, "%+v\n", own)
	dirs := append([]string{"."}, otherFolder.FindAllString(t.Install+" "+t.Start, -1)...)
	for _, dir := range slices.Compact(slices.Sorted(slices.Values(dirs))) {
		hashTexts(h, filepath.Join(t.dir, dir))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

// hashTexts adds the names and contents of the text files in a folder. It leaves out
// target.yaml, because inputs adds what the target declares. For an unreadable file it adds
// the error.
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
		if name, _ := filepath.Rel(dir, path); !bytes.ContainsRune(text, 0) { // a file with a NUL byte is a built program
			fmt.Fprintf(h, "%s %d %v\n%s", filepath.ToSlash(name), len(text), err, text)
		}
		return nil
	})
}
