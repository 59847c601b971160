package harness

import (
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

// Verdict is a scenario's result in one word.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"  // a rule is breached that fails: a MUST or a BUDGET, see Weight
	Warn    Verdict = "warn"  // a rule is breached that warns: a SHOULD
	Info    Verdict = "info"  // measured, nothing to judge
	Skip    Verdict = "skip"  // a capability is missing: Result.Missing
	Errored Verdict = "error" // the scenario could not be carried out: Result.Err
	Known   Verdict = "known" // each breach that would fail it is excused: Finding.Known
)

// Result is one scenario's outcome.
type Result struct {
	Scenario *Scenario
	Verdict  Verdict
	Findings []rules.Finding  // in the order of the scenario's rules
	Record   *evidence.Record // nil for most skips, and for an error before the connection was tried
	Missing  []evidence.Capability
	Err      string // why it could not be carried out; of a skip: what the command said that is not supported
	Started  time.Time
	Took     time.Duration

	Corrected bool // it takes the place of one that was given out before a second close event came, or before a known failure was disproved

	Plays []*Result // all of them where the scenario was played more than once; this is the worst
}

// judge checks the rules on the record; known are the failures that are known.
func (r *Result) judge(list []rules.Rule, p rules.Profile, known []*rules.KnownFailure) {
	for _, rule := range list {
		f := rule.Judge(r.Record, p)
		f.Excuse(known, r.Scenario.ID, time.Now())
		r.Findings = append(r.Findings, f)
	}
	r.Verdict, r.Missing = verdict(r.Findings, r.Scenario.Asks)
}

// date gives the result the time of its peer, from dialing until it stopped
// looking, or until the server that it stopped had exited: not of what waited
// for its turn before.
func (r *Result) date() {
	if r.Record == nil || r.Record.Start.IsZero() {
		r.Took = time.Since(r.Started)
		return
	}
	end := r.Record.Stopped
	if exit := r.Record.Exit; exit != nil {
		end = max(end, exit.At)
	}
	r.Started, r.Took = r.Record.Start, r.Record.Trigger.Add(end).Sub(r.Record.Start)
}

// cutShort tells whether the patience was over before a script was played to its
// end; the result then is that this was not carried out.
func (r *Result) cutShort() bool {
	for _, one := range r.Record.Everyone() {
		if len(one.CutShort) == 0 || one.Kind == evidence.Connecting {
			continue // whether a newcomer came in time, its rules tell
		}
		r.Verdict, r.Missing = Skip, []evidence.Capability{evidence.Patience}
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
	gravest := []Verdict{Fail, Errored, Known, Warn, Pass, Info, Skip}
	out := *slices.MinFunc(plays, func(a, b *Result) int {
		return slices.Index(gravest, a.Verdict) - slices.Index(gravest, b.Verdict)
	})
	out.Plays = plays
	return &out
}

// verdict sums up findings. asks is the rule that has to be judged for a pass; empty:
// any.
func verdict(findings []rules.Finding, asks string) (Verdict, []evidence.Capability) {
	asked := asks == ""
	var judged, measured, unmeasured, warned, known bool
	var missing []evidence.Capability
	for _, f := range findings {
		switch {
		case f.Weighs() == rules.Fails:
			return Fail, nil
		case f.Weighs() == rules.Warns:
			warned = true
		case f.Excused():
			known = true
		case f.Outcome == rules.Kept:
			judged = judged || f.Rule.ID != rules.Alive.ID
			asked = asked || f.Rule.ID == asks
		case f.Outcome == rules.Measured:
			measured = true
		case f.Outcome == rules.Unmeasured && f.Rule.Grade != rules.Info:
			unmeasured = unmeasured || f.Missing != evidence.CanEvents
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
	return Info, nil
}
