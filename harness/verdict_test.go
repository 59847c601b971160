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
			got, missing := verdict(c.findings, false)
			strict, _ := verdict(c.findings, true)
			if got != c.want || strict != c.strict || !slices.Equal(missing, c.missing) {
				t.Errorf("%s, strict %s, missing %q; want %s, %s, %q", got, strict, missing, c.want, c.strict, c.missing)
			}
		})
	}
}
