package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/rules"
)

// Unmeasured are the rules that the scenario exists for and that could not be measured.
func (s *Scenario) Unmeasured() (out []Finding) {
	for _, f := range s.Findings {
		if f.Outcome == string(rules.Unmeasured) && slices.Contains(s.Asks, f.Rule) {
			out = append(out, f)
		}
	}
	return out
}

// NotMeasured tells in a line which rules that the scenario exists for could not be measured,
// and why: "R19 was not measured: …". Empty: each was.
func (s *Scenario) NotMeasured() string {
	var reasons []string
	ids := map[string][]string{} // of rules, by the reason
	for _, f := range s.Unmeasured() {
		if ids[f.Got] == nil {
			reasons = append(reasons, f.Got)
		}
		ids[f.Got] = append(ids[f.Got], f.Rule)
	}
	var out []string
	for _, why := range reasons {
		was := "was"
		if len(ids[why]) > 1 {
			was = "were"
		}
		out = append(out, fmt.Sprintf("%s %s not measured: %s", strings.Join(ids[why], ", "), was, Clip(why, 300)))
	}
	return OneLine(strings.Join(out, "; "))
}

// Missed tells what a skipped scenario needs, and what could not be played or measured without it.
func (s *Scenario) Missed() string {
	out := strings.Join(s.Missing, ", ")
	if s.Error != "" {
		out += " (" + OneLine(Clip(s.Error, 300)) + ")"
	}
	if why := s.NotMeasured(); why != "" {
		out += "; " + why
	}
	return out
}

// gap is what could not be measured in several scenarios for the same reason.
type gap struct {
	needs, why string
	rows       []*gapRow
}

// gapRow is one or more rules, and the scenarios alike that exist for them.
type gapRow struct {
	rules, pattern string
	ids            []string
}

// gaps are the scenarios that were played, and skipped because a rule that they exist for could not
// be measured. Those of which the reason begins alike, figures aside, stand together, in their order.
func gaps(list []Scenario) (out []*gap) {
	byReason := map[string]*gap{}
	for i := range list {
		s := &list[i]
		unmeasured := s.Unmeasured()
		if s.Verdict != Skip || len(unmeasured) == 0 {
			continue
		}
		var ids []string
		for _, f := range unmeasured {
			ids = append(ids, f.Rule)
		}
		needs, why := strings.Join(s.Missing, ", "), unmeasured[0].Got
		reason, _, _ := strings.Cut(why, "; ")
		key := needs + "\x00" + withoutFigures(reason)
		g := byReason[key]
		if g == nil {
			g = &gap{needs: needs, why: why}
			byReason[key] = g
			out = append(out, g)
		}
		if g.why != why {
			g.why = reason
		}
		g.add(strings.Join(ids, ", "), s.ID)
	}
	return out
}

// add puts a scenario beside those that are alike.
func (g *gap) add(rules, id string) {
	pattern := pattern(id)
	i := slices.IndexFunc(g.rows, func(r *gapRow) bool { return r.rules == rules && r.pattern == pattern })
	if i < 0 {
		i, g.rows = len(g.rows), append(g.rows, &gapRow{rules: rules, pattern: pattern})
	}
	g.rows[i].ids = append(g.rows[i].ids, id)
}

// n is how many scenarios there are.
func (g *gap) n() (n int) {
	for _, r := range g.rows {
		n += len(r.ids)
	}
	return n
}

// String names the rules, each with its scenarios: "R19 linger/{no-fin,fin-later}; R31 abnormal/rst".
func (g *gap) String() string {
	var out []string
	for _, r := range g.rows {
		ids := name(r.pattern, r.ids)
		if len(r.ids) > mostNamed && strings.HasSuffix(r.pattern, "/*") { // variants of one violation are counted
			ids = strings.Replace(r.pattern, "*", "{"+strings.Join(parts(r.pattern, r.ids), ", ")+"}", 1)
		}
		out = append(out, r.rules+" "+ids)
	}
	return strings.Join(out, "; ")
}
