package harness

import (
	"slices"
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

func TestVerdict(t *testing.T) {
	f := func(g rules.Grade, o rules.Outcome) rules.Finding {
		return rules.Finding{Rule: rules.Rule{ID: "R", Grade: g}, Outcome: o, Missing: evidence.Local}
	}
	alive := rules.Finding{Rule: rules.Alive, Outcome: rules.Kept}
	untold := rules.Finding{Rule: rules.Rule{ID: "R25", Grade: rules.Must}, Outcome: rules.Unmeasured,
		Missing: evidence.CanEvents}
	for _, c := range []struct {
		name     string
		findings []rules.Finding
		want     Verdict
		strict   Verdict
		missing  []evidence.Capability
	}{
		{"nothing", nil, Info, Info, nil},
		{"alive alone judges nothing", []rules.Finding{alive}, Info, Info, nil},
		{"kept", []rules.Finding{f(rules.Must, rules.Kept), alive}, Pass, Pass, nil},
		{"a MUST breached", []rules.Finding{f(rules.Should, rules.Breached), f(rules.Must, rules.Breached),
			f(rules.Must, rules.Kept)}, Fail, Fail, nil},
		{"a BUDGET breached", []rules.Finding{f(rules.Budget, rules.Breached), f(rules.Must, rules.Kept)}, Fail,
			Fail, nil},
		{"a SHOULD breached", []rules.Finding{f(rules.Should, rules.Breached), f(rules.Must, rules.Kept)}, Warn,
			Fail, nil},
		{"dead afterwards", []rules.Finding{f(rules.Must, rules.Kept),
			{Rule: rules.Alive, Outcome: rules.Breached}}, Fail, Fail, nil},
		{"measured", []rules.Finding{f(rules.Info, rules.Measured), alive}, Info, Info, nil},
		{"moot", []rules.Finding{f(rules.Must, rules.Moot), alive}, Info, Info, nil},
		{"not measured", []rules.Finding{f(rules.Budget, rules.Unmeasured), alive}, Skip, Skip,
			[]evidence.Capability{evidence.Local}},
		{"not measured, but something was judged",
			[]rules.Finding{f(rules.Budget, rules.Unmeasured), f(rules.Must, rules.Kept)}, Pass, Pass, nil},
		{"a figure, and no event to judge", []rules.Finding{f(rules.Info, rules.Measured), untold, alive}, Info,
			Info, nil},
		{"no event to judge", []rules.Finding{untold, untold, alive}, Skip, Skip,
			[]evidence.Capability{evidence.CanEvents}},
		{"a figure, and something not measured", []rules.Finding{f(rules.Info, rules.Measured), untold,
			f(rules.Budget, rules.Unmeasured)}, Skip, Skip, []evidence.Capability{evidence.CanEvents, evidence.Local}},
		{"a figure not measured", []rules.Finding{f(rules.Info, rules.Unmeasured), alive}, Info, Info, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			weighed := func(strict bool) []rules.Finding {
				list := slices.Clone(c.findings)
				for i := range list {
					list[i].Weight = rules.Profile{Strict: strict}.Weight(list[i].Rule)
				}
				return list
			}
			got, missing := verdict(weighed(false), "")
			strict, _ := verdict(weighed(true), "")
			if got != c.want || strict != c.strict || !slices.Equal(missing, c.missing) {
				t.Errorf("%s, strict %s, missing %q; want %s, %s, %q", got, strict, missing, c.want, c.strict,
					c.missing)
			}
		})
	}
}

// TestWeights: a weight that was set goes before --strict, and that before the grade;
// a rule that is off is not judged, and passes nothing.
func TestWeights(t *testing.T) {
	for _, c := range []struct {
		grade   rules.Grade
		strict  bool
		set     rules.Weight
		want    Verdict
		outcome rules.Outcome
		grading string
	}{
		{rules.Must, false, "", Fail, rules.Breached, "MUST"},
		{rules.Budget, false, "", Fail, rules.Breached, "BUDGET"},
		{rules.Should, false, "", Warn, rules.Breached, "SHOULD"},
		{rules.Should, true, "", Fail, rules.Breached, "SHOULD as fail"},
		{rules.Should, false, rules.Fails, Fail, rules.Breached, "SHOULD as fail"},
		{rules.Should, true, rules.Warns, Warn, rules.Breached, "SHOULD"},
		{rules.Budget, true, rules.Warns, Warn, rules.Breached, "BUDGET as warn"},
		{rules.Must, true, rules.Off, Info, rules.NotJudged, "MUST as off"},
	} {
		rule := rules.Rule{ID: "R0", Grade: c.grade, Check: func(*evidence.Record, rules.Profile) rules.Finding {
			return rules.Finding{Outcome: rules.Breached, Got: "x"}
		}}
		other := rules.Rule{ID: "R0-other", Grade: rules.Info,
			Check: func(*evidence.Record, rules.Profile) rules.Finding {
				return rules.Finding{Outcome: rules.Measured, Got: "x"}
			}}
		p := rules.Profile{Strict: c.strict}
		if c.set != "" {
			p.Weights = rules.Weights{"R0": c.set}
		}
		r := &Result{Scenario: &Scenario{}}
		r.judge([]rules.Rule{rule, other}, p, nil)
		f := r.Findings[0]
		if r.Verdict != c.want || f.Outcome != c.outcome || f.Grading() != c.grading || f.Got == "" {
			t.Errorf("%s, strict %t, set %q: %s, %s, %q; want %s, %s, %q", c.grade, c.strict, c.set, r.Verdict,
				f.Outcome, f.Grading(), c.want, c.outcome, c.grading)
		}
		if got := r.Findings[1]; got.Outcome != rules.Measured {
			t.Errorf("another rule is %s", got.Outcome)
		}
	}
}
