package harness

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/sockets"
)

// socketEvidence turns what the watch saw into times since the trigger, and ends the watch. What
// happened after the peer stopped looking is left out, and lifetimes are censored at that moment,
// because finwait closed the peer's end then.
func (c *common) socketEvidence(w *sockets.Watch, r *peers.Record) evidence.Socket {
	switch {
	case r.NotObserved != nil:
		return evidence.Socket{Why: r.NotObserved.Error()}
	case w == nil: // the peer was never connected
		return evidence.Socket{Why: c.notObserved}
	}
	l := w.Lifetime()
	w.Stop()
	if l.Accepted.IsZero() {
		return evidence.Socket{Why: "no process accepted the connection"}
	}
	stopped := r.Trigger.Add(r.Stopped)
	survival := func(end time.Time, bound time.Duration) evidence.Survival {
		if end.IsZero() || end.After(stopped) {
			return evidence.Survival{Until: r.Stopped, Censored: true}
		}
		return evidence.Survival{Until: end.Sub(r.Trigger), Bound: bound}
	}
	s := evidence.Socket{
		Observed: true, By: evidence.Kernel, Accepted: true, TimeWait: l.TimeWait, State: l.State, Lost: l.Lost,
		Held: survival(l.Released, l.ReleasedBound),
	}
	for _, t := range l.Transitions {
		if !t.At.After(stopped) {
			s.States = append(s.States, evidence.State{At: t.At.Sub(r.Trigger), Name: t.State, Held: t.Held})
			s.State = t.State
		}
	}
	if orphan := survival(l.Freed, l.FreedBound); !s.Held.Censored && orphan.Until > s.Held.Until+s.Held.Bound {
		s.Orphan = &orphan
	}
	return s
}
