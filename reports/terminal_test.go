package reports

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
)

// TIME_WAIT is no orphan.
func TestSocketLine(t *testing.T) {
	ms := time.Millisecond
	got := socketLine(evidence.Socket{Held: evidence.Survival{Until: 2 * ms}, States: []evidence.State{
		{At: -ms, Name: "ESTABLISHED"}, {Name: "ESTABLISHED", Held: true}, {At: 2 * ms, Name: "FIN_WAIT2"}, {At: 3 * ms, Name: "TIME_WAIT"},
	}})
	want := "-1.00 ms ESTABLISHED (not accepted yet), 0.00 ms ESTABLISHED, 2.00 ms FIN_WAIT2 (orphan), 3.00 ms TIME_WAIT, held 2.00 ms"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
