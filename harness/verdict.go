package harness

import (
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

// Verdict is the result of a scenario in one word.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"  // what the scenario asks was measured, and a rule of it is kept: see Scenario.Asks
	Fail    Verdict = "fail"  // a rule that fails is breached: a MUST or a BUDGET, see rules.Weight
	Warn    Verdict = "warn"  // a rule that warns is breached: a SHOULD
	Info    Verdict = "info"  // figures were measured, and there was nothing to judge
	Skip    Verdict = "skip"  // it could not be played, or what it asks not be measured: see Result.Missing
	Errored Verdict = "error" // the scenario could not be carried out, see Result.Err
	Known   Verdict = "known" // every breach that would fail the scenario is excused, see Finding.Known
)

// Result is the outcome of one scenario.
type Result struct {
	Scenario *Scenario
	Verdict  Verdict
	Findings []rules.Finding       // in the order of the scenario's rules; none if it could not be played
	Record   *evidence.Record      // nil if the connection was never tried
	Missing  []evidence.Capability // those that a skipped scenario, or a rule that it asks, lacked
	Err      string                // why it could not be carried out, or what a command said that is not supported
	Started  time.Time
	Took     time.Duration

	// Corrected says that the result replaces one that was given out before: a second close event
	// came later, or a known failure turned out to be stale.
	Corrected bool

	// Plays are the results of all plays if there were several. The fields above are then those
	// of the worst.
	Plays []*Result
}

// judge checks the rules on the record, excuses known failures, and sets the verdict.
func (r *Result) judge(list []rules.Rule, p rules.Profile, known []*rules.KnownFailure) {
	for _, rule := range list {
		f := rule.Judge(r.Record, p)
		f.Excuse(known, r.Scenario.ID, time.Now())
		r.Findings = append(r.Findings, f)
	}
	r.Verdict, r.Missing = verdict(r.Findings, r.Scenario.asks)
}

// setTimes sets Started and Took to the time of the peer: from dialing until it stopped looking,
// or until the server that it stopped had exited. The wait for a turn does not count.
func (r *Result) setTimes() {
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

// skipIfCutShort tells whether the patience was over before a script had been played to its end,
// and makes the result a skip then.
func (r *Result) skipIfCutShort() bool {
	for _, one := range r.Record.Everyone() {
		if len(one.CutShort) == 0 || one.Kind == evidence.Connecting {
			continue // the rules judge whether a peer that connects late came in time
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

// allPlays returns the results of all plays, even if there was only one.
func (r *Result) allPlays() []*Result {
	if r.Plays == nil {
		return []*Result{r}
	}
	return r.Plays
}

// worst returns the result of a scenario after all its plays: the first with the gravest verdict.
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

// verdict sums up the findings, and returns the capabilities that a skip lacked. asks tells
// whether the scenario exists for a rule, see [Scenario.Asks].
func verdict(findings []rules.Finding, asks func(rules.Rule) bool) (Verdict, []evidence.Capability) {
	var kept, warned, known bool
	var missing []evidence.Capability
	for _, f := range findings {
		switch {
		case f.Weighs() == rules.Fails:
			return Fail, nil
		case f.Weighs() == rules.Warns:
			warned = true
		case f.Excused():
			known = true
		case !asks(f.Rule):
		case f.Outcome == rules.Kept:
			kept = true
		case f.Outcome == rules.Unmeasured && !slices.Contains(missing, f.Missing):
			missing = append(missing, f.Missing)
		}
	}
	switch {
	case known:
		return Known, nil
	case warned:
		return Warn, nil
	case len(missing) > 0:
		return Skip, missing
	case kept:
		return Pass, nil
	}
	return Info, nil
}
