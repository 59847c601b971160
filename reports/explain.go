package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Explain tells in several lines why a scenario did not pass: what each
// breached rule wants, what was seen, and the clause; and what could not be measured.
func Explain(s *Scenario) string {
	var b strings.Builder
	if s.Error != "" {
		fmt.Fprintf(&b, "got     not carried out: %s\n", OneLine(Clip(s.Error, 1000)))
	}
	for _, f := range s.Findings {
		if f.Outcome == breached {
			fmt.Fprintf(&b, "want    %s\ngot     %s\nclause  %s: %s (%s, %s)\n",
				OneLine(f.Want), OneLine(Clip(f.Got, 1000)), OneLine(f.Clause), OneLine(f.Text), OneLine(f.Grading()), OneLine(f.Rule))
			if text := s.knownAs(f); text != "" {
				fmt.Fprintf(&b, "known   %s\n", OneLine(text))
			}
		}
	}
	if text := told(s.Socket); text != "" && slices.ContainsFunc(s.Findings, isBreach) {
		fmt.Fprintf(&b, "told    %s\n", OneLine(text))
	}
	if why := s.NotMeasured(); why != "" {
		fmt.Fprintf(&b, "missing %s\n", why)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func isBreach(f Finding) bool { return f.Outcome == breached }

// knownAs tells of a breach that it is excused, or was until a date; or, where a breach
// of another rule is known, that this one is new. Empty: nothing.
func (s *Scenario) knownAs(f Finding) string {
	switch {
	case f.Lapsed != "":
		return "was excused until " + f.Lapsed + ", no longer"
	case f.Excused != "":
		return "excused: " + f.Excused
	case f.Weighs() == rules.Fails && slices.ContainsFunc(s.Findings, Finding.listed):
		return "new: none of the known failures"
	}
	return ""
}

// listed tells whether an entry of the known failures is about the breach, be it over.
func (f Finding) listed() bool { return f.Excused != "" || f.Lapsed != "" }

// knownFailures tells which breaches are excused, or were: "R35, R36 excused: the
// reason". Empty: none is known.
func (s *Scenario) knownFailures() string {
	var out []string
	ids := map[string][]string{} // of rules, by what is said of them
	for _, f := range s.Findings {
		if !f.listed() {
			continue
		}
		text := s.knownAs(f)
		if ids[text] == nil {
			out = append(out, text)
		}
		ids[text] = append(ids[text], f.Rule)
	}
	for i, text := range out {
		out[i] = strings.Join(ids[text], ", ") + " " + text
	}
	return strings.Join(out, "; ")
}

// facts are what was measured, as names and values.
func facts(s *Scenario) [][2]string {
	out := [][2]string{{"verdict", s.Verdict}}
	add := func(name, format string, args ...any) {
		out = append(out, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if s.Known != "" {
		add("known failure", "%s", s.Known)
	}
	if s.Repeated != nil {
		add("repeated", "%d times: %s", len(s.Repeated.Verdicts), s.Repeated.counts())
		if c := s.Repeated.Curve; c != nil {
			add("survival", "%s", c.Summary())
		}
	}
	if s.Asks != nil {
		add("asks", "%s", strings.Join(s.Asks, ", "))
	}
	if why := s.NotMeasured(); why != "" {
		add("not measured", "%s", why)
	}
	if s.Wire == nil {
		return out
	}
	if closes := s.Wire.Closes; len(closes) > 0 {
		add("wire close", "%s at %s", closes[0], figures.Format(duration(closes[0].At)))
	} else {
		add("wire close", "none")
	}
	add("wire end", "%s at %s", s.Wire.Ending, figures.Format(duration(s.Wire.EndedAt)))
	for _, e := range s.Events {
		add("close event", "%s", evidence.AppEvent(e))
	}
	switch held := s.Held(); {
	case held != nil:
		add("socket held", "%s", held)
		if s.Socket.Orphan != nil {
			add("socket orphan", "%s", s.Socket.Orphan)
		}
	case s.Socket != nil:
		add("socket held", "not observed: %s", s.Socket.Why)
	}
	if text := told(s.Socket); text != "" {
		add("witnesses", "%s", text)
	}
	if s.Exit != nil || s.Stops && s.Error == "" {
		add("server", "%s", exitLine(s.Exit))
	}
	for _, c := range s.Curves {
		add("survival of "+c.Kind, "%s, %s", Peers(c.N), c.Summary())
	}
	for _, f := range s.Findings {
		switch rules.Outcome(f.Outcome) {
		case rules.Measured, rules.Breached, rules.NotJudged:
			add(f.Rule, "%s", f.Got)
		case rules.Kept:
			if s.Verdict == Skip { // the verdict does not say so
				add(f.Rule, "kept: %s", f.Got)
			}
		}
	}
	return out
}

// counts tells how often each verdict came: "18 pass, 2 fail".
func (r *Repeats) counts() string {
	var out []string
	for _, verdict := range []string{Pass, Fail, Warn, Info, Skip, Errored, Known} {
		n := 0
		for _, v := range r.Verdicts {
			if v == verdict {
				n++
			}
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	return strings.Join(out, ", ")
}

// traceLines are the trace, a line each.
func traceLines(s *Scenario) []string {
	arrow := map[string]string{string(peers.Sent): "→", string(peers.Received): "←", string(peers.Local): "·"}
	var out []string
	for _, e := range s.Trace {
		out = append(out, fmt.Sprintf("%10s %s %s", figures.Format(duration(e.At)), arrow[e.Dir], OneLine(Clip(e.What, 400))))
	}
	if s.Elided > 0 {
		out = append(out, fmt.Sprintf("%10s   %d more events", "", s.Elided))
	}
	return out
}
