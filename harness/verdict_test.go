package harness

import (
	"slices"
	"testing"
)

func TestVerdict(t *testing.T) {
	f := func(g Grade, o Outcome) Finding {
		return Finding{Rule: Rule{ID: "R", Grade: g}, Outcome: o, Missing: Local}
	}
	alive := Finding{Rule: Alive, Outcome: Kept}
	untold := Finding{Rule: Rule{ID: "R25", Grade: Must}, Outcome: Unmeasured, Missing: CanEvents}
	for _, c := range []struct {
		name     string
		findings []Finding
		want     Verdict
		strict   Verdict
		missing  []Capability
	}{
		{"nothing", nil, Noted, Noted, nil},
		{"alive alone judges nothing", []Finding{alive}, Noted, Noted, nil},
		{"kept", []Finding{f(Must, Kept), alive}, Pass, Pass, nil},
		{"a MUST breached", []Finding{f(Should, Breached), f(Must, Breached), f(Must, Kept)}, Fail, Fail, nil},
		{"a BUDGET breached", []Finding{f(Budget, Breached), f(Must, Kept)}, Fail, Fail, nil},
		{"a SHOULD breached", []Finding{f(Should, Breached), f(Must, Kept)}, Warn, Fail, nil},
		{"dead afterwards", []Finding{f(Must, Kept), {Rule: Alive, Outcome: Breached}}, Fail, Fail, nil},
		{"measured", []Finding{f(Info, Measured), alive}, Noted, Noted, nil},
		{"moot", []Finding{f(Must, Moot), alive}, Noted, Noted, nil},
		{"not measured", []Finding{f(Budget, Unmeasured), alive}, Skip, Skip, []Capability{Local}},
		{"not measured, but something was judged", []Finding{f(Budget, Unmeasured), f(Must, Kept)}, Pass, Pass, nil},
		{"a figure, and no event to judge", []Finding{f(Info, Measured), untold, alive}, Noted, Noted, nil},
		{"no event to judge", []Finding{untold, untold, alive}, Skip, Skip, []Capability{CanEvents}},
		{"a figure, and something not measured", []Finding{f(Info, Measured), untold, f(Budget, Unmeasured)}, Skip, Skip, []Capability{CanEvents, Local}},
		{"a figure not measured", []Finding{f(Info, Unmeasured), alive}, Noted, Noted, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			weighed := func(strict bool) []Finding {
				list := slices.Clone(c.findings)
				for i := range list {
					list[i].Weight = Profile{Strict: strict}.Weight(list[i].Rule)
				}
				return list
			}
			got, missing := verdict(weighed(false), "")
			strict, _ := verdict(weighed(true), "")
			if got != c.want || strict != c.strict || !slices.Equal(missing, c.missing) {
				t.Errorf("%s, strict %s, missing %q; want %s, %s, %q", got, strict, missing, c.want, c.strict, c.missing)
			}
		})
	}
}

// TestWeights: a weight that was set goes before --strict, and that before the grade;
// a rule that is off is not judged, and passes nothing.
func TestWeights(t *testing.T) {
	for _, c := range []struct {
		grade   Grade
		strict  bool
		set     Weight
		want    Verdict
		outcome Outcome
		grading string
	}{
		{Must, false, "", Fail, Breached, "MUST"},
		{Budget, false, "", Fail, Breached, "BUDGET"},
		{Should, false, "", Warn, Breached, "SHOULD"},
		{Should, true, "", Fail, Breached, "SHOULD as fail"},
		{Should, false, Fails, Fail, Breached, "SHOULD as fail"},
		{Should, true, Warns, Warn, Breached, "SHOULD"},
		{Budget, true, Warns, Warn, Breached, "BUDGET as warn"},
		{Must, true, Off, Noted, NotJudged, "MUST as off"},
	} {
		rule := Rule{ID: "R0", Grade: c.grade, Check: func(*Record, Profile) Finding { return Finding{Outcome: Breached, Got: "x"} }}
		other := Rule{ID: "R0-other", Grade: Info, Check: func(*Record, Profile) Finding { return Finding{Outcome: Measured, Got: "x"} }}
		p := Profile{Strict: c.strict}
		if c.set != "" {
			p.Weights = Weights{"R0": c.set}
		}
		b, r := &Batch{profile: p}, &Result{Scenario: &Scenario{}}
		b.judge(r, []Rule{rule, other})
		f := r.Findings[0]
		if r.Verdict != c.want || f.Outcome != c.outcome || f.Grading() != c.grading || f.Got == "" {
			t.Errorf("%s, strict %t, set %q: %s, %s, %q; want %s, %s, %q", c.grade, c.strict, c.set, r.Verdict, f.Outcome, f.Grading(), c.want, c.outcome, c.grading)
		}
		if got := r.Findings[1]; got.Outcome != Measured {
			t.Errorf("another rule is %s", got.Outcome)
		}
	}
}
