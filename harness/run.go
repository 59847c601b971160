package harness

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

// Run is a complete run with its results. Every report is made from it.
type Run struct {
	Target  string                       // the target's name, without secrets
	Profile rules.Profile                // the limits by which the server was judged
	Has     map[evidence.Capability]bool // the capabilities that the preflight found
	Notes   []string                     // what the reader must know, such as why sockets were not observed
	Started time.Time
	Took    time.Duration
	Results []*Result // one for each selected scenario, in the order of the selection
	Output  string    // what a shared server that finwait started wrote last
	Stopped string    // why the run ended early ("interrupted", "the target is gone: …"); empty: it did not
}

// Count returns how many results have each verdict.
func (r *Run) Count() map[Verdict]int {
	n := map[Verdict]int{}
	for _, res := range r.Results {
		n[res.Verdict]++
	}
	return n
}
