package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// broken is a standard output that takes nothing.
type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

// What cannot be printed is told beside what else is wrong, unless the reader of a pipe
// has gone.
func TestNothingIsLostInSilence(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	run := []string{"run", "--exec", "finwait serve --listen 127.0.0.1:{port}", "--only", "sanity"}
	var out bytes.Buffer
	if code := Main(append(run, "--json", report), &out, &out); code != exitOK {
		t.Fatal(out.String())
	}
	diff := []string{"diff", report, report}
	const lost = "the summary could not be printed: no space left on device"
	for name, c := range map[string]struct {
		args   []string
		stdout error
		code   int
		want   []string // of stderr; none: it is empty
	}{
		"run, no reader":    {append(run, "--github"), syscall.EPIPE, exitOK, nil},
		"diff, no reader":   {diff, syscall.EPIPE, exitOK, nil},
		"diff, a full disk": {diff, syscall.ENOSPC, exitNotDone, []string{lost}},
		"diff, and no report": {append(diff, "--json", "/dev/full"), syscall.ENOSPC, exitNotDone,
			[]string{"cannot write the report /dev/full", lost}},
	} {
		var stderr bytes.Buffer
		code := Main(c.args, broken{c.stdout}, &stderr)
		text := stderr.String()
		if code != c.code || c.want == nil && text != "" || strings.Count(text, "\n") > 1 {
			t.Errorf("%s: exit status %d, %q", name, code, text)
		}
		for _, want := range c.want {
			if strings.Count(text, want) != 1 {
				t.Errorf("%s: %q is not told once in %q", name, want, text)
			}
		}
	}
}
