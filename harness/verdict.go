package harness

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is a scenario's result in one word.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"  // a rule is breached that fails: a MUST or a BUDGET, see Weight
	Warn    Verdict = "warn"  // a rule is breached that warns: a SHOULD
	Noted   Verdict = "info"  // measured, nothing to judge
	Skip    Verdict = "skip"  // a capability is missing: Result.Missing
	Errored Verdict = "error" // the scenario could not be carried out: Result.Err
	Known   Verdict = "known" // each breach that would fail it is excused: Finding.Known
)

// Result is one scenario's outcome.
type Result struct {
	Scenario *Scenario
	Verdict  Verdict
	Findings []Finding // in the order of the scenario's rules
	Record   *Record   // nil for most skips, and for an error before the connection was tried
	Missing  []Capability
	Err      string // why it could not be carried out; of a skip: what the command said that is not supported
	Started  time.Time
	Took     time.Duration

	Corrected bool // it takes the place of one that was given out before a second close event came, or before a known failure was disproved

	Plays []*Result // all of them where the scenario was played more than once; this is the worst
}

// cutShort tells whether the patience was over before a script was played to its
// end; the result then is that this was not carried out.
func (r *Result) cutShort() bool {
	for _, one := range r.Record.everyone() {
		if len(one.CutShort) == 0 || one.Kind == Connecting {
			continue // whether a newcomer came in time, its rules tell
		}
		r.Verdict, r.Missing = Skip, []Capability{Patience}
		r.Err = fmt.Sprintf("the patience was over in %q", one.CutShort[0])
		if rest := one.CutShort[1:]; len(rest) > 0 {
			r.Err += fmt.Sprintf(", before %q", rest[0])
		}
		r.Err += ": raise --patience"
		return true
	}
	return false
}

// plays are all of them, also of a scenario that was played once.
func (r *Result) plays() []*Result {
	if r.Plays == nil {
		return []*Result{r}
	}
	return r.Plays
}

// worst is the result that a scenario has after several plays: the first of the
// gravest.
func worst(plays []*Result) *Result {
	if len(plays) == 1 {
		return plays[0]
	}
	gravest := []Verdict{Fail, Errored, Known, Warn, Pass, Noted, Skip}
	out := *slices.MinFunc(plays, func(a, b *Result) int {
		return slices.Index(gravest, a.Verdict) - slices.Index(gravest, b.Verdict)
	})
	out.Plays = plays
	return &out
}

// verdict sums up findings. asks is the rule that has to be judged for a pass; empty:
// any.
func verdict(findings []Finding, asks string) (Verdict, []Capability) {
	asked := asks == ""
	var judged, measured, unmeasured, warned, known bool
	var missing []Capability
	for _, f := range findings {
		switch {
		case f.Weighs() == Fails:
			return Fail, nil
		case f.Weighs() == Warns:
			warned = true
		case f.Excused():
			known = true
		case f.Outcome == Kept:
			judged = judged || f.Rule.ID != Alive.ID
			asked = asked || f.Rule.ID == asks
		case f.Outcome == Measured:
			measured = true
		case f.Outcome == Unmeasured && f.Rule.Grade != Info:
			unmeasured = unmeasured || f.Missing != CanEvents
			if !slices.Contains(missing, f.Missing) {
				missing = append(missing, f.Missing)
			}
		}
	}
	switch {
	case known:
		return Known, nil
	case warned:
		return Warn, nil
	case judged && asked:
		return Pass, nil
	case unmeasured, len(missing) > 0 && !measured: // the event is checked too where there is one
		return Skip, missing
	}
	return Noted, nil
}
