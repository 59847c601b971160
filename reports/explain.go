package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Explain tells in several lines why a scenario did not pass: what each
// breached rule wants, what was seen, and the clause.
func Explain(r *harness.Result) string {
	var b strings.Builder
	if r.Err != "" {
		fmt.Fprintf(&b, "got     not carried out: %s\n", OneLine(Clip(r.Err, 1000)))
	}
	for _, f := range r.Findings {
		if f.Outcome == rules.Breached {
			fmt.Fprintf(&b, "want    %s\ngot     %s\nclause  %s: %s (%s, %s)\n",
				OneLine(f.Want), OneLine(Clip(f.Got, 1000)), OneLine(f.Rule.Clause), OneLine(f.Rule.Text), f.Grading(), f.Rule.ID)
			if text := known(r, f); text != "" {
				fmt.Fprintf(&b, "known   %s\n", OneLine(text))
			}
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// known tells of a breach that it is excused, or was until a date; or, where that of
// another rule is, that it is new. Empty: nothing.
func known(r *harness.Result, f rules.Finding) string {
	listed := func(f rules.Finding) bool { return f.Known != nil }
	switch {
	case f.Lapsed:
		return fmt.Sprintf("was excused until %s (%s), no longer", f.Known.Until.Format(time.DateOnly), f.Known.Reason)
	case f.Excused():
		return "excused: " + f.Known.String()
	case f.Weighs() == rules.Fails && slices.ContainsFunc(r.Findings, listed):
		return "new: none of the known failures"
	}
	return ""
}

// excuses tells which breaches are excused, or were: "R35, R36 excused: the reason".
// Empty: none is known.
func excuses(r *harness.Result) string {
	var out []string
	rules := map[string][]string{} // by what is told of them
	for _, f := range r.Findings {
		if f.Known == nil {
			continue
		}
		text := known(r, f)
		if rules[text] == nil {
			out = append(out, text)
		}
		rules[text] = append(rules[text], f.Rule.ID)
	}
	for i, text := range out {
		out[i] = strings.Join(rules[text], ", ") + " " + text
	}
	return strings.Join(out, "; ")
}

// breach is the first breached finding that made the verdict; nil: none.
func breach(r *harness.Result) *rules.Finding {
	var warning *rules.Finding
	for i, f := range r.Findings {
		switch weight := f.Weighs(); {
		case weight == rules.Fails:
			return &r.Findings[i]
		case weight == rules.Warns && warning == nil:
			warning = &r.Findings[i]
		}
	}
	return warning
}

// facts are what was measured, as names and values.
func facts(r *harness.Result) [][2]string {
	out := [][2]string{{"verdict", string(r.Verdict)}}
	add := func(name, format string, args ...any) {
		out = append(out, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if text := excuses(r); text != "" {
		add("known failure", "%s", text)
	}
	if r.Plays != nil {
		add("repeated", "%d times: %s", len(r.Plays), verdicts(r.Plays))
	}
	if k := Repeated(r); k != nil {
		add("survival", "%s", k.Summary())
	}
	rec := r.Record
	if rec == nil {
		return out
	}
	if len(rec.Closes) > 0 {
		add("wire close", "%s at %s", rec.Closes[0], figures.Format(rec.Closes[0].At))
	} else {
		add("wire close", "none")
	}
	add("wire end", "%s at %s", rec.Ending, figures.Format(rec.EndedAt))
	for _, e := range rec.Events.List {
		add("close event", "%s", e)
	}
	if rec.Socket.Observed {
		add("socket held", "%s", Lifetime(rec.Socket.Held))
		if o := rec.Socket.Orphan; o != nil {
			add("socket orphan", "%s", Lifetime(*o))
		}
	} else {
		add("socket held", "not observed: %s", rec.Socket.Why)
	}
	if e := rec.Exit; e != nil {
		add("server", "%s", exitLine(e))
	}
	for _, k := range Curves(r) {
		add("survival of "+k.Kind, "%s, %s", Peers(k.Curve.N), k.Summary())
	}
	for _, f := range r.Findings {
		if f.Outcome == rules.Measured || f.Outcome == rules.Breached || f.Outcome == rules.NotJudged {
			add(f.Rule.ID, "%s", f.Got)
		}
	}
	return out
}

// Lifetime writes a survival time: "2.00 s"; "2.00 s, 0.05 s less at most" where
// the error bound is above one per cent; "> 35.0 s" where it is censored.
func Lifetime(s evidence.Survival) string {
	switch {
	case s.Censored:
		return "> " + figures.Format(s.Until)
	case s.Bound > s.Until/100:
		return fmt.Sprintf("%s, %s less at most", figures.Format(s.Until), figures.Format(s.Bound))
	}
	return figures.Format(s.Until)
}

// traceLines are the trace, a line each.
func traceLines(rec *evidence.Record) []string {
	arrow := map[peers.Dir]string{peers.Sent: "→", peers.Received: "←", peers.Local: "·"}
	var out []string
	for _, e := range rec.Trace {
		out = append(out, fmt.Sprintf("%10s %s %s", figures.Format(e.At), arrow[e.Dir], OneLine(Clip(e.What, 400))))
	}
	if rec.Elided > 0 {
		out = append(out, fmt.Sprintf("%10s   %d more events", "", rec.Elided))
	}
	return out
}
