package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/rules"
)

// Threshold is how much longer or shorter a time must be, beyond the error
// bounds of both measurements, to count as changed: by the Share of the old one,
// and by Least.
type Threshold struct {
	Share float64
	Least time.Duration
}

// Change is a difference between two runs of a scenario.
type Change struct {
	ID    string `json:"id"`
	What  string `json:"what"` // "verdict", "rule", "socket", "wire", "crowd", "repeated", "exit", "close"
	Old   string `json:"old"`
	New   string `json:"new"`
	Trend string `json:"trend"` // "worse", "better", "other"

	// Unmeasured says, of a verdict, which rule that the scenario exists for one of the reports
	// did not measure, and why: that of the newer report first.
	Unmeasured string `json:"unmeasured,omitempty"`
}

// DiffFormat names the JSON of a diff; docs/diff.schema.json is its schema. A version
// only gains fields.
const DiffFormat = "finwait-diff"

// Diff is what changed between two reports.
type Diff struct {
	Format  string   `json:"format"`
	Version int      `json:"version"`
	Old     string   `json:"old"` // target and time of the older report
	New     string   `json:"new"`
	Notes   []string `json:"notes"`   // reasons why the two reports may not be comparable
	Same    int      `json:"same"`    // scenarios without a change
	Changes []Change `json:"changes"` // the worse first, then the better, in the order of the new report
}

// The trends.
const (
	worse  = "worse"
	better = "better"
	other  = "other"
)

// Compare tells what changed from one report to another. Worse is a graver
// verdict, a scenario that can no longer be carried out, a rule that was kept
// before, a socket that survives longer, a process that takes longer to exit. What
// only one of them judged or measured is neither worse nor better.
func Compare(before, after *Report, th Threshold) *Diff {
	d := &Diff{Format: DiffFormat, Version: 1, Old: before.source(), New: after.source(), Notes: []string{}, Changes: []Change{}}
	if before.Target != after.Target {
		d.Notes = append(d.Notes, "the targets differ")
	}
	if !before.Profile.Equal(after.Profile) {
		d.Notes = append(d.Notes, "the limits differ: "+before.Profile.String()+"; then "+after.Profile.String())
	}
	if a, b := before.witnesses(), after.witnesses(); a != "" && b != "" && a != b {
		d.Notes = append(d.Notes, "who told how long sockets were held differs: "+a+"; then "+b)
	}
	for _, r := range []*Report{before, after} {
		if r.Stopped != "" {
			d.Notes = append(d.Notes, r.source()+" ended early: "+r.Stopped)
		}
	}
	old := map[string]*Scenario{}
	for i, s := range before.Scenarios {
		old[s.ID] = &before.Scenarios[i]
	}
	for i := range after.Scenarios {
		s := &after.Scenarios[i]
		was, ok := old[s.ID]
		delete(old, s.ID)
		if !ok {
			d.Changes = append(d.Changes, Change{ID: s.ID, What: "verdict", Old: "not run", New: s.Verdict, Trend: other})
			continue
		}
		changes := compare(was, s, th)
		if len(changes) == 0 {
			d.Same++
		}
		d.Changes = append(d.Changes, changes...)
	}
	for _, s := range before.Scenarios {
		if old[s.ID] != nil {
			d.Changes = append(d.Changes, Change{ID: s.ID, What: "verdict", Old: s.Verdict, New: "not run", Trend: other})
		}
	}
	order := []string{worse, better, other}
	slices.SortStableFunc(d.Changes, func(a, b Change) int { return slices.Index(order, a.Trend) - slices.Index(order, b.Trend) })
	return d
}

// Regressed tells whether something is worse.
func (d *Diff) Regressed() bool { return d.count(worse) > 0 }

func (d *Diff) count(trend string) (n int) {
	for _, c := range d.Changes {
		if c.Trend == trend {
			n++
		}
	}
	return n
}

// source names a report.
func (r *Report) source() string {
	return fmt.Sprintf("%s, %s", r.Target, r.Started.UTC().Format(time.DateTime+" UTC"))
}

// gravity orders verdicts from the best to the worst. A skip has no place in that order.
var gravity = map[string]int{
	Pass: 1, Info: 1, Warn: 2, Fail: 3, Known: 3, Errored: 3,
}

// verdictTrend compares two verdicts. An error is worse than every verdict of a scenario
// that was carried out; a failure where there was an error is no better.
func verdictTrend(was, is string) string {
	before, after := gravity[was], gravity[is]
	switch {
	case before == 0 || after == 0:
		return other
	case after > before || is == Errored:
		return worse
	case after < before:
		return better
	}
	return other
}

func compare(was, is *Scenario, th Threshold) (out []Change) {
	add := func(what, before, after, trend string) {
		out = append(out, Change{ID: is.ID, What: what, Old: before, New: after, Trend: trend})
	}
	if was.Verdict != is.Verdict {
		add("verdict", was.Verdict, is.Verdict, verdictTrend(was.Verdict, is.Verdict))
		out[0].Unmeasured = cmp.Or(is.NotMeasured(), was.NotMeasured())
	}
	for _, p := range pairs(was, is) {
		before, after := p.before, p.after
		if (before.Outcome == breached) == (after.Outcome == breached) {
			continue
		}
		trend := worse
		switch {
		case !before.judged() || !after.judged():
			trend = other
		case before.Outcome == breached:
			trend = better
		}
		add("rule", before.Rule+" "+before.inShort(), after.Rule+" "+after.inShort(), trend)
	}
	if was.Verdict == Errored || is.Verdict == Errored {
		return out // the measurements of a scenario that was not carried out are incomplete
	}
	before, sockets := map[measure]lifetime{}, was.Held() != nil && is.Held() != nil
	for _, l := range was.lifetimes() {
		before[l.measure] = l
	}
	for _, now := range is.lifetimes() {
		then, ok := before[now.measure]
		if !ok || now.what == "wire" && sockets {
			continue
		}
		if trend := th.trend(then.Survival, now.Survival); trend != other {
			add(now.what, then.String(), now.String(), trend)
		}
	}
	if was.Exit != nil && is.Exit != nil {
		a, b := was.Exit, is.Exit
		trend := th.trend(Survival{Until: a.At, Censored: a.Killed}, Survival{Until: b.At, Censored: b.Killed})
		if trend != other || a.Killed != b.Killed || a.Words != b.Words {
			add("exit", a.String(), b.String(), trend)
		}
	}
	if was.Wire != nil && is.Wire != nil {
		if a, b := was.Wire.close(), is.Wire.close(); a != b {
			add("close", a, b, other)
		}
	}
	return out
}

const breached = string(rules.Breached)

// pair is a rule's finding in both reports. A report that did not look at the rule has a
// finding without an outcome.
type pair struct{ before, after Finding }

// pairs are the rules that either report looked at, each once: those of the second report
// in its order, then those that only the first has.
func pairs(was, is *Scenario) (out []pair) {
	at := map[string]int{}
	find := func(rule string) (p *pair, isNew bool) {
		i, known := at[rule]
		if !known {
			i, at[rule] = len(out), len(out)
			out = append(out, pair{Finding{Rule: rule}, Finding{Rule: rule}})
		}
		return &out[i], !known
	}
	first := map[string]bool{}
	for _, f := range is.Findings {
		if p, isNew := find(f.Rule); isNew {
			p.after = f
		}
	}
	for _, f := range was.Findings {
		if p, _ := find(f.Rule); !first[f.Rule] {
			first[f.Rule], p.before = true, f
		}
	}
	return out
}

// judged tells whether the finding is a judgement or a measurement.
func (f Finding) judged() bool {
	return slices.Contains([]string{breached, string(rules.Kept), string(rules.Measured)}, f.Outcome)
}

// inShort is the outcome in words.
func (f Finding) inShort() string {
	switch {
	case f.Outcome == breached:
		return fmt.Sprintf("%s broken: want %s; got %s", f.Grading(), f.Want, f.Got)
	case !f.judged():
		return "not judged"
	}
	return f.Outcome
}

// close is the first Close frame in words.
func (w *Wire) close() string {
	switch {
	case len(w.Closes) == 0:
		return "no Close"
	case w.Closes[0].Code == nil:
		return "Close without a code"
	case w.Closes[0].Reason != "":
		return fmt.Sprintf("Close %d %q", *w.Closes[0].Code, w.Closes[0].Reason)
	}
	return fmt.Sprintf("Close %d", *w.Closes[0].Code)
}
