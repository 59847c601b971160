//go:build unix

package reports_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/finwait/finwait/reports"
)

// TestFIFO: a report goes to who reads a FIFO, and waits for nobody to begin.
func TestFIFO(t *testing.T) {
	text := strings.Repeat("report", 100_000) // more than a pipe holds
	say := func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	for name, write := range map[string]func(string, func(io.Writer) error) error{"write": reports.WriteFile, "append": reports.Append} {
		path := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := reports.CheckWritable(path); err != nil {
			t.Error(err)
		}
		if err := write(path, say); err == nil || !strings.HasSuffix(err.Error(), path+": nobody reads it: start its reader first") {
			t.Errorf("%s: %v", name, err)
		}
		r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() { written <- write(path, say) }()
		got := make([]byte, len(text))
		for n := 0; n < len(got); {
			more, err := r.Read(got[n:])
			if n += more; err != nil && err != io.EOF { // nobody has opened the other end yet
				t.Fatal(err)
			}
		}
		if err := <-written; err != nil || string(got) != text {
			t.Errorf("%s: %v", name, err)
		}
		_ = r.Close()
	}
}
