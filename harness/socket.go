package harness

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// socketEvidence turns what the observers saw of a connection into times since the trigger, and
// ends the watches. Where the first saw nothing, the further one's word counts.
func (c *common) socketEvidence(w watches, r *peers.Record) evidence.Socket {
	first := evidence.Socket{Why: c.notObserved} // the peer was never connected
	switch {
	case w.first != nil:
		first = seen(w.first, c.first.by, r)
	case r.NotObserved != nil:
		first.Why = r.NotObserved.Error()
	}
	if w.further == nil {
		return first
	}
	further := seen(w.further, c.further.by, r)
	if !first.Observed {
		return further
	}
	first.Others = append(first.Others, further)
	return first
}

// seen turns what one watch saw into times since the trigger, and ends the watch. What happened
// after the peer stopped looking is left out, and lifetimes are censored at that moment, because
// finwait closed the peer's end then.
func seen(w socketWatch, by evidence.Witness, r *peers.Record) evidence.Socket {
	l := w.Lifetime()
	w.Stop()
	if l.Accepted.IsZero() || l.Failed != nil && l.Released.IsZero() {
		return evidence.Socket{By: by, Why: whyUnseen(l, "no process accepted the connection")}
	}
	stopped := r.Trigger.Add(r.Stopped)
	survival := func(end time.Time, bound time.Duration) evidence.Survival {
		if end.IsZero() || end.After(stopped) {
			return evidence.Survival{Until: r.Stopped, Censored: true}
		}
		return evidence.Survival{Until: end.Sub(r.Trigger), Bound: bound}
	}
	s := evidence.Socket{
		Observed: true, By: by, Accepted: true, TimeWait: l.TimeWait, State: l.State, Lost: l.Lost,
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
