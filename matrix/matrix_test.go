package matrix

import (
	"bytes"
	"fmt"
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
