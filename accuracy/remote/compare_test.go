package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/reports"
)

// scenario is one with the rule R19 and a verdict; outcome and a lifetime may be missing.
func scenario(verdict, outcome string, held *reports.Survival) reports.Scenario {
	s := reports.Scenario{ID: "a/b", Verdict: verdict}
	if outcome != "" {
		s.Findings = []reports.Finding{{Rule: "R1", Outcome: "kept"}, {Rule: "R19", Outcome: outcome, Grade: "BUDGET"}}
	}
	if held != nil {
		s.Socket = &reports.Socket{Observed: true, Held: held}
	}
	return s
}

func TestCompare(t *testing.T) {
	thirty := &reports.Survival{Until: 30, Bound: 0.001}
	around := &reports.Survival{Until: 30.5, Bound: 1}
	early := &reports.Survival{Until: 13, Bound: 12}
	for _, x := range []struct {
		name       string
		near, far  reports.Scenario
		race       bool
		contradict bool
		judged     bool
		contain    int
		missed     int
	}{
		{name: "the same", near: scenario("fail", "breached", thirty), far: scenario("fail", "breached", around),
			judged: true, contain: 1},
		{name: "a pass that is none", near: scenario("fail", "breached", thirty), far: scenario("pass", "kept", early),
			contradict: true, judged: true, missed: 1},
		{name: "a failure that is none", near: scenario("pass", "kept", thirty), far: scenario("fail", "kept", thirty),
			contradict: true, judged: true, contain: 1},
		{name: "a warning for a failure", near: scenario("warn", "kept", thirty), far: scenario("fail", "kept", thirty),
			contradict: true, judged: true, contain: 1},
		{name: "a race", near: scenario("fail", "breached", thirty), far: scenario("pass", "breached", thirty),
			race: true, judged: true, contain: 1},
		{name: "skipped across", near: scenario("fail", "breached", thirty), far: scenario("skip", "", nil)},
		{name: "unmeasured across", near: scenario("pass", "kept", thirty), far: scenario("skip", "unmeasured", thirty),
			contain: 1},
		{name: "judged by the wire alone", near: scenario("pass", "kept", thirty), far: scenario("pass", "kept", nil)},
	} {
		t.Run(x.name, func(t *testing.T) {
			report := func(s reports.Scenario) *run {
				return &run{Report: &reports.Report{Scenarios: []reports.Scenario{s}, Profile: reports.Profile{Patience: 35}}}
			}
			c := &comparison{beside: report(x.near), across: report(x.far)}
			c.beside.wall, c.across.wall = 36*time.Second, 40*time.Second // the limit is 40.5 s
			races := map[string]string{}
			if x.race {
				races["a/b"] = "because"
			}
			c.compare(races)
			if got := len(c.contradictions) == 1; got != x.contradict {
				t.Errorf("contradictions: %q", c.contradictions)
			}
			if c.judgedBeside != 1 || (c.judgedAcross == 1) != x.judged || len(c.unjudged) == 1 == x.judged {
				t.Errorf("judged beside %d, across %d, the others %+v", c.judgedBeside, c.judgedAcross, c.unjudged)
			}
			if c.contain != x.contain || len(c.misses) != x.missed {
				t.Errorf("%d contain, misses %q", c.contain, c.misses)
			}
			var out strings.Builder
			err := summary(&out, []*comparison{c}, 20)
			if good := !x.contradict && x.judged && x.missed == 0; good != (err == nil) {
				t.Errorf("error %v, and it printed:\n%s", err, &out)
			}
			c.across.wall = 41 * time.Second
			if c.compare(races); len(c.slow) != 1 {
				t.Error("41 s is not too slow")
			}
			c.beside.wall = 38 * time.Second
			if c.compare(races); len(c.slow) != 1 {
				t.Error("41 s is too slow, although it took 38 s beside the server")
			}
		})
	}
}

func TestGrouped(t *testing.T) {
	got := grouped([]unjudged{
		{"R1", "held after 1.5 s", "a/a"}, {"R2", "held after 2.5 s", "a/b"}, {"R2", "held after 30 ms", "a/c"}, {"R2", "unknown", "a/d"},
	})
	want := []string{
		"R2 in 2 scenarios, such as a/b; across held after 2.5 s", "R1 in 1 scenarios, such as a/a; across held after 1.5 s",
		"R2 in 1 scenarios, such as a/d; across unknown",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
