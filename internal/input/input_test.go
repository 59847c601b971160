package input_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/internal/input"
)

// TestRead: a file is read whole, or not at all if it is too long.
func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for size, whole := range map[int]bool{0: true, 1: true, 1 << 20: true, 1<<20 + 1: false, 5 << 20: false} {
		text := strings.Repeat("x", size)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := input.Read(file, 1<<20)
		switch {
		case whole && (err != nil || string(got) != text):
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		case !whole && (err == nil || err.Error() != file+" holds more than 1 MiB, which no such file does"):
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := input.Read(filepath.Join(file, "missing"), 1); err == nil {
		t.Error("a file that is not there was read")
	}
}
