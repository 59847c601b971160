package harness

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

// Run is a whole batch with its results: what every report is made from.
type Run struct {
	Target  string // URL, credentials removed
	Profile rules.Profile
	Has     map[evidence.Capability]bool // capabilities found by the preflight
	Notes   []string                     // what the reader must know, e.g. why sockets were not observed
	Started time.Time
	Took    time.Duration
	Results []*Result // in the order of the catalogue; every selected scenario is here
	Output  string    // the last that the server wrote, where finwait started it
	Stopped string    // why the run ended early ("interrupted", "the target is gone: …"); empty if it did not
}

// Count tells how many results have each verdict.
func (r *Run) Count() map[Verdict]int {
	n := map[Verdict]int{}
	for _, res := range r.Results {
		n[res.Verdict]++
	}
	return n
}
