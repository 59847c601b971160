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
	// Findings of rules that the scenario does not ask, and of a second one that it asks.
	other := func(g rules.Grade, o rules.Outcome) rules.Finding {
		return rules.Finding{Rule: rules.Rule{ID: "other", Grade: g}, Outcome: o, Missing: evidence.CanEvents}
	}
	also := func(g rules.Grade, o rules.Outcome) rules.Finding {
		return rules.Finding{Rule: rules.Rule{ID: "also", Grade: g}, Outcome: o, Missing: evidence.Sight}
	}
	local := []evidence.Capability{evidence.Local}
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
		{"not measured", []rules.Finding{f(rules.Budget, rules.Unmeasured), alive}, Skip, Skip, local},
		{"not measured, though all others are kept",
			[]rules.Finding{f(rules.Budget, rules.Unmeasured), other(rules.Must, rules.Kept), alive}, Skip, Skip, local},
		{"one of two not measured",
			[]rules.Finding{f(rules.Budget, rules.Unmeasured), also(rules.Must, rules.Kept)}, Skip, Skip, local},
		{"both not measured", []rules.Finding{f(rules.Budget, rules.Unmeasured), also(rules.Must, rules.Unmeasured)},
			Skip, Skip, []evidence.Capability{evidence.Local, evidence.Sight}},
		{"not measured, and something is breached",
			[]rules.Finding{f(rules.Budget, rules.Unmeasured), other(rules.Must, rules.Breached)}, Fail, Fail, nil},
		{"not measured, and a SHOULD is breached",
			[]rules.Finding{f(rules.Budget, rules.Unmeasured), other(rules.Should, rules.Breached)}, Warn, Fail, nil},
		{"one of two moot", []rules.Finding{f(rules.Must, rules.Moot), also(rules.Must, rules.Kept)}, Pass, Pass, nil},
		{"moot, though all others are kept", []rules.Finding{f(rules.Must, rules.Moot), other(rules.Must, rules.Kept)},
			Info, Info, nil},
		{"a figure, though all others are kept",
			[]rules.Finding{f(rules.Info, rules.Measured), other(rules.Must, rules.Kept)}, Info, Info, nil},
		{"off, though all others are kept", []rules.Finding{f(rules.Must, rules.NotJudged), other(rules.Must, rules.Kept)},
			Info, Info, nil},
		{"others not measured", []rules.Finding{f(rules.Must, rules.Kept), other(rules.Must, rules.Unmeasured), alive},
			Pass, Pass, nil},
		{"a figure, and others not measured",
			[]rules.Finding{f(rules.Info, rules.Measured), other(rules.Must, rules.Unmeasured), alive}, Info, Info, nil},
		{"a figure not measured", []rules.Finding{f(rules.Info, rules.Unmeasured), alive}, Skip, Skip, local},
	} {
		t.Run(c.name, func(t *testing.T) {
			weighed := func(strict bool) []rules.Finding {
				list := slices.Clone(c.findings)
				for i := range list {
					list[i].Weight = rules.Profile{Strict: strict}.Weight(list[i].Rule)
				}
				return list
			}
			s := &Scenario{Asks: []string{"R", "also"}}
			got, missing := verdict(weighed(false), s.asks)
			strict, _ := verdict(weighed(true), s.asks)
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
