package scenarios_test

import (
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/sockets"
)

// lingering are faults of the reference server that keep sockets in different ways; the empty one
// keeps none.
func lingering() []string {
	return []string{
		"", "close-wait", "drains-forever", "fd-leak", "ignores-violation", "keeps-half-request", "never-fin", "no-close-timeout",
		"slow-terminate",
	}
}

// unlike reports whether the wire cannot say the same as the kernel. The reference server gives up
// filling the send buffer of a peer that reads nothing after a close timeout, which is short here, and
// the peers of a crowd have not been connected for equally long. And a process that answers the peer's
// FIN by shutdown(2) looks as one that closes.
func unlike(fault, id string) bool {
	return id == "server-close/stops-reading" || id == "server-close/drip-reader" ||
		fault == "fd-leak" && id == "linger/half-close-early"
}

// lateEvent is the fault of a server whose close events are late.
const lateEvent = "event-late"

// TestWireAgreesWithKernel: what probes tell of the server's sockets has the kernel's figure in it.
func TestWireAgreesWithKernel(t *testing.T) {
	if o, err := sockets.Open(); err != nil {
		t.Skip(err)
	} else if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	const slack = 150 * time.Millisecond // each witness has a connection of its own, with timers of its own
	gate := make(chan struct{}, 3)
	for _, fault := range lingering() {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			defer func() { <-gate }()
			agreed := 0
			for _, r := range run(t, fault, harness.Options{Witness: harness.WitnessAll}).Results {
				if r.Record == nil || !r.Record.Socket.Observed || len(r.Record.Socket.Others) == 0 || unlike(fault, r.Scenario.ID) {
					continue
				}
				kernel, wire := r.Record.Socket.Held, r.Record.Socket.Others[0]
				switch {
				case !wire.Observed:
				case wire.Held.Excludes(kernel, slack):
					t.Errorf("%s: the kernel says %s, the wire %s", r.Scenario.ID, kernel, wire.Held)
					for _, look := range wire.Looks {
						t.Logf("  %+v", look)
					}
				default:
					agreed++
				}
			}
			if agreed < 100 {
				t.Errorf("only %d scenarios could be compared", agreed)
			}
		})
	}
}

// TestSameVerdictFromTheWire: no rule on the lifetime of the server's socket, or on when its close
// event came, is kept beside the server and breached from elsewhere, nor the other way round.
func TestSameVerdictFromTheWire(t *testing.T) {
	gate := make(chan struct{}, 3)
	for _, fault := range []string{"", "never-fin", "no-close-timeout", lateEvent} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			defer func() { <-gate }()
			beside := map[string]*harness.Result{}
			for _, r := range run(t, fault, harness.Options{}).Results {
				beside[r.Scenario.ID] = r
			}
			late := 0 // close events that the wire tells to be late
			for _, r := range run(t, fault, harness.Options{Witness: harness.WitnessProbes}).Results {
				if unlike(fault, r.Scenario.ID) {
					continue
				}
				was := beside[r.Scenario.ID]
				for _, f := range r.Findings {
					i := slices.IndexFunc(was.Findings, func(g rules.Finding) bool { return g.Rule.ID == f.Rule.ID })
					inTime := f.Rule.ID == rules.EventInTime.ID
					if f.Rule.Limit == nil && !inTime || i < 0 {
						continue
					}
					g := was.Findings[i]
					if f.Outcome == rules.Kept && g.Outcome == rules.Breached || f.Outcome == rules.Breached && g.Outcome == rules.Kept {
						t.Errorf("%s, %s: beside the server %s (%s), on the wire %s (%s)", r.Scenario.ID, f.Rule.ID, g.Outcome, g.Got, f.Outcome, f.Got)
					}
					if inTime && f.Outcome == rules.Breached {
						late++
					}
				}
			}
			if fault == lateEvent && late == 0 {
				t.Error("no close event is late")
			}
		})
	}
}
