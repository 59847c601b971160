package harness

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

const (
	// firstLook is when the first witness asks. Most servers have let go by then, and need no other.
	firstLook = 300 * time.Millisecond
	// fine is an interval that needs no more looks, as is one of a tenth of the lifetime.
	fine = 500 * time.Millisecond
	// refinements is how many witnesses ask within an interval that is not fine.
	refinements = 3
	// overtime is by how much longer than the patience a survey may take.
	overtime = time.Second
	// lastLook is how long before the end of the patience the last witness asks.
	lastLook = 200 * time.Millisecond
	// returning is how late the answer to a witness may be that was dark: what it sent in the dark is
	// sent again first.
	returning = 1200 * time.Millisecond
)

// timers are where looks tell most: on both sides of the close timeouts that libraries have, which
// are 30, 10, 5, 20, 15 and 2 s. The first are the most useful. A look that has to find the socket
// held comes earlier by late, which is how late its answer may be.
func timers(late time.Duration) (out []time.Duration) {
	const s, aside = time.Second, 500 * time.Millisecond
	before := func(t time.Duration) time.Duration { return t - aside - late }
	after := func(t time.Duration) time.Duration { return t + aside }
	return append(out, after(30*s), before(30*s), after(10*s), after(5*s), after(20*s), after(15*s), 2*s,
		before(10*s), before(5*s), before(20*s))
}

// survey plans when witnesses ask whether the server's process still holds the socket of a peer
// that keeps its end open. It knows no network. All times are since the trigger.
type survey struct {
	limits   []time.Duration // a look at each of them decides a rule
	late     time.Duration   // how late an answer may be
	patience time.Duration
	budget   int // so many looks may still be planned

	looks            []peers.Look
	planned          []time.Duration
	widened, refined bool
}

// newSurvey returns the survey for a scenario, with so many witnesses at most.
func newSurvey(s *Scenario, p rules.Profile, witnesses int) *survey {
	out := &survey{patience: p.Patience, budget: witnesses}
	if hasStep[peers.GoDark](s.Script) {
		out.late = returning
	}
	for _, r := range s.Rules {
		if r.Limit == nil || r.Limit(p) == 0 {
			continue
		}
		if out.late > 0 {
			out.limits = append(out.limits, r.Limit(p)-out.late)
		}
		out.limits = append(out.limits, r.Limit(p))
	}
	return out
}

// next returns when further witnesses shall ask; elapsed is how long the survey has taken, and
// pending how many witnesses have not told yet. It returns nothing while there is nothing to plan.
func (v *survey) next(elapsed time.Duration, pending int) []time.Duration {
	held := v.held()
	enough := v.budget >= refinements || v.budget > 0 && pending == 0 // for a refinement: some may be withdrawn yet
	switch {
	case len(v.planned) == 0:
		return v.plan(firstLook)
	case !v.letGo() && !v.widened && (v.looked(firstLook) || pending == 0):
		v.widened = true
		return v.plan(v.widely(elapsed)...)
	case v.letGo() && !v.refined && !v.isFine() && enough && elapsed+held.Until <= v.patience+overtime:
		v.refined = true
		var at []time.Duration
		for i := range refinements {
			at = append(at, held.Earliest()+(held.Until-held.Earliest())*time.Duration(i+1)/(refinements+1))
		}
		return v.plan(at...)
	}
	return nil
}

// widely are the times after the first look, so that the answers come within the patience; at the
// limits, which decide, a little later.
func (v *survey) widely(elapsed time.Duration) []time.Duration {
	last := v.patience - lastLook - v.late - elapsed
	return slices.DeleteFunc(slices.Concat(v.limits, []time.Duration{last}, timers(v.late)), func(t time.Duration) bool {
		decides := slices.Contains(v.limits, t) && elapsed+t <= v.patience+v.patience/10+overtime
		return t > last && !decides
	})
}

// plan notes those of the times that there is a witness for, within the patience, and returns them.
func (v *survey) plan(at ...time.Duration) (out []time.Duration) {
	for _, t := range at {
		if v.budget > 0 && t > 0 && t < v.patience && !slices.Contains(v.planned, t) {
			v.planned, out = append(v.planned, t), append(out, t)
			v.budget--
		}
	}
	return out
}

// looked reports whether somebody has looked at the time or later.
func (v *survey) looked(at time.Duration) bool {
	return slices.ContainsFunc(v.looks, func(l peers.Look) bool { return l.Asked >= at })
}

func (v *survey) held() evidence.Survival { return evidence.Combine(v.looks).Held }

// letGo reports whether it is known by when the process had let go.
func (v *survey) letGo() bool {
	held := v.held()
	return held.Until > 0 && !held.Censored
}

func (v *survey) isFine() bool {
	held := v.held()
	return v.letGo() && held.Bound <= max(fine, held.Until/10)
}

// withdraw gives back the look of a witness that has not asked.
func (v *survey) withdraw() { v.budget++ }

// needs reports whether a look at this time can still tell something.
func (v *survey) needs(at time.Duration) bool {
	return !v.letGo() || at < v.held().Until && !v.isFine()
}

// hasStep reports whether a script has a step of the type.
func hasStep[S peers.Step](script peers.Script) bool {
	return slices.ContainsFunc(script, func(step peers.Step) bool { _, is := step.(S); return is })
}
