package process

import (
	"strings"
	"testing"
	"time"
)

// The open files of a program are known, unless children may share the work.
func TestFiles(t *testing.T) {
	for script, known := range map[string]bool{
		"ulimit -n 64; echo ready; exec sleep 60":            true,
		"ulimit -n 64; sleep 60 & echo ready; exec sleep 60": false,
	} {
		s, err := Start(Shell(t.Context(), script))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Kill()
		for limit := time.Now().Add(5 * time.Second); !strings.Contains(s.Output.String(),
			"ready"); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("it does not begin")
			}
		}
		if open, most, ok := s.Files(); ok != known || known && (open < 3 || most != 64) {
			t.Errorf("%q: %d of %d files, %t", script, open, most, ok)
		}
	}
}
