package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness"
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
	What  string `json:"what"` // "verdict", "rule", "socket", "exit", "close"
	Old   string `json:"old"`
	New   string `json:"new"`
	Trend string `json:"trend"` // "worse", "better", "other"
}

// Diff is what changed between two reports.
type Diff struct {
	Old     string   `json:"old"` // target and time
	New     string   `json:"new"`
	Notes   []string `json:"notes"`   // why the two may not compare
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
// verdict, a rule that was not broken before, a socket that survives longer, a
// process that takes longer to exit. A scenario that only one of them measured
// is neither worse nor better.
func Compare(before, after *Report, th Threshold) *Diff {
	d := &Diff{Old: before.source(), New: after.source(), Notes: []string{}, Changes: []Change{}}
	if before.Target != after.Target {
		d.Notes = append(d.Notes, "the targets differ")
	}
	if before.Profile != after.Profile {
		d.Notes = append(d.Notes, "the limits differ: "+before.Profile.String()+"; then "+after.Profile.String())
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
			d.Changes = append(d.Changes, Change{s.ID, "verdict", "not run", s.Verdict, other})
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
			d.Changes = append(d.Changes, Change{s.ID, "verdict", s.Verdict, "not run", other})
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

// gravity orders verdicts; a scenario that was skipped has none.
var gravity = map[string]int{
	string(harness.Pass): 1, string(harness.Noted): 1, string(harness.Warn): 2, string(harness.Errored): 3, string(harness.Fail): 4, string(harness.Known): 4,
}

func compare(was, is *Scenario, th Threshold) (out []Change) {
	add := func(what, before, after, trend string) {
		out = append(out, Change{is.ID, what, before, after, trend})
	}
	trend := func(was, is float64) string {
		switch {
		case is > was:
			return worse
		case is < was:
			return better
		}
		return other
	}
	if was.Verdict != is.Verdict {
		t := trend(float64(gravity[was.Verdict]), float64(gravity[is.Verdict]))
		if gravity[was.Verdict] == 0 || gravity[is.Verdict] == 0 {
			t = other
		}
		add("verdict", was.Verdict, is.Verdict, t)
	}
	broken, breaks := was.breaches(), is.breaches()
	for _, f := range breaks {
		if !slices.ContainsFunc(broken, func(o Finding) bool { return o.Rule == f.Rule }) && was.Verdict != string(harness.Skip) {
			add("rule", f.Rule+" kept", fmt.Sprintf("%s %s broken: want %s; got %s", f.Rule, f.Grade, f.Want, f.Got), worse)
		}
	}
	for _, f := range broken {
		if !slices.ContainsFunc(breaks, func(o Finding) bool { return o.Rule == f.Rule }) && is.Verdict != string(harness.Skip) {
			add("rule", fmt.Sprintf("%s %s broken: want %s; got %s", f.Rule, f.Grade, f.Want, f.Got), f.Rule+" kept", better)
		}
	}
	if was.Socket != nil && is.Socket != nil && was.Socket.Held != nil && is.Socket.Held != nil {
		if t := th.lives(*was.Socket.Held, *is.Socket.Held); t != other {
			add("socket", "held "+was.Socket.Held.String(), "held "+is.Socket.Held.String(), t)
		}
	}
	if was.Exit != nil && is.Exit != nil {
		a, b := was.Exit, is.Exit
		t := th.lives(Survival{Until: a.At, Censored: a.Killed}, Survival{Until: b.At, Censored: b.Killed})
		if t != other || a.Killed != b.Killed || a.Words != b.Words {
			add("exit", a.String(), b.String(), t)
		}
	}
	if was.Wire != nil && is.Wire != nil {
		if a, b := was.Wire.close(), is.Wire.close(); a != b {
			add("close", a, b, other)
		}
	}
	return out
}

// lives compares two lifetimes; other: they do not differ enough, or one that was
// censored cannot tell.
func (th Threshold) lives(was, is Survival) string {
	slack := func(old Survival) float64 { return max(th.Share*old.Until, th.Least.Seconds()) }
	switch longer, shorter := is.Until-is.Bound-was.Until, was.Until-was.Bound-is.Until; {
	case longer > slack(was) && !was.Censored:
		return worse
	case shorter > slack(was) && !is.Censored:
		return better
	}
	return other
}

func (s *Scenario) breaches() (out []Finding) {
	for _, f := range s.Findings {
		if f.Outcome == string(harness.Breached) {
			out = append(out, f)
		}
	}
	return out
}

// String is the lifetime in words.
func (s Survival) String() string {
	return Lifetime(harness.Survival{Until: duration(s.Until), Bound: duration(s.Bound), Censored: s.Censored})
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

// Text writes the changes, a line each.
func (d *Diff) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "old  %s\nnew  %s\n", OneLine(d.Old), OneLine(d.New))
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note %s\n", OneLine(n))
	}
	trend := ""
	for _, c := range d.Changes {
		if c.Trend != trend {
			trend = c.Trend
			fmt.Fprintf(&b, "\n%s\n", trend)
		}
		fmt.Fprintf(&b, "  %s: %s → %s\n", OneLine(c.ID), OneLine(Clip(c.Old, 300)), OneLine(Clip(c.New, 300)))
	}
	fmt.Fprintf(&b, "\n%s\n", d.totals())
	_, err := io.WriteString(w, b.String())
	return err
}

// totals is the diff in a sentence.
func (d *Diff) totals() string {
	return fmt.Sprintf("%d worse, %d better, %d changed otherwise; %s without a change.", d.count(worse), d.count(better), d.count(other), count(d.Same))
}

// Markdown writes the changes for a comment on a pull request.
func (d *Diff) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## finwait: %s\n\nOld: %s. New: %s.\n", d.totals(), MarkdownText(d.Old), MarkdownText(d.New))
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "\nNote: %s\n", MarkdownText(n))
	}
	left := 0
	for i, c := range d.Changes {
		if i == 0 {
			b.WriteString("\n| | scenario | old | new |\n| --- | --- | --- | --- |\n")
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", c.Trend, MarkdownText(c.ID), MarkdownText(Clip(c.Old, 300)), MarkdownText(Clip(c.New, 300)))
		if b.Len()+len(row) > summaryMost {
			left++
			continue
		}
		b.WriteString(row)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%d more rows are left out: the JSON file has them.\n", left)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the diff.
func (d *Diff) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(d)
}
