package matrix

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// TestLogIsSerial: targets that end at the same time write whole lines to a writer
// that is not made for that.
func TestLogIsSerial(t *testing.T) {
	var out bytes.Buffer
	log := &serial{w: &out}
	var writing sync.WaitGroup
	const n = 200
	for range n {
		writing.Go(func() { fmt.Fprintf(log, "%s\n", "a line") })
	}
	writing.Wait()
	if got := strings.Count(out.String(), "a line\n"); got != n {
		t.Errorf("%d lines of %d", got, n)
	}
}

// TestReadNull: null where a target or a scenario is to stand is an error of the file.
func TestReadNull(t *testing.T) {
	for _, targets := range []string{"null", `{"name": "a"}, null`, `{"name": "a", "scenarios": [null]}`} {
		text := fmt.Sprintf(`{"format": %q, "version": %d, "targets": [%s]}`, Format, Version, targets)
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "null") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", targets, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"format": "finwait-matrix", "version": 1, "targets": [{"name": "a", "scenarios": [{"id": "a/b", "verdict": "fail", "breaches": [{}], "wireClose": null, "exit": {}}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		m.Put(&Outcome{Name: "b"})
		for _, o := range m.Targets {
			o.explain(&Target{})
			_ = o.Problems()
		}
		if err := m.Markdown(io.Discard, ""); err != nil {
			t.Error(err)
		}
	})
}
