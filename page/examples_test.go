package page_test

import (
	"time"

	"github.com/finwait/finwait/reports"
)

// at is a moment of the examples, so long after their trigger.
func at(seconds float64) *time.Time {
	t := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	return &t
}

func wire(ending string, endedAt, stopped float64) *reports.Wire {
	return &reports.Wire{Trigger: *at(0), Status: 101, Ending: ending, EndedAt: endedAt, Stopped: stopped}
}

// stop is a shutdown: its crowd has two kinds of peers, and one peer is let go of
// at once.
func stop() reports.Scenario {
	told := 1001
	s := reports.Scenario{
		ID: "shutdown/mixed", Family: "shutdown", Title: "stops a server with peers of each kind", Verdict: "fail",
		Script: []string{"connect"},
		Findings: []reports.Finding{{Rule: "R44", Grade: "BUDGET", Clause: "close timeout", Outcome: "breached",
			Want: "the exit within 13.0 s", Got: "the exit at 30.0 s"}},
		Wire:   wire("fin", 0.0005, 30.02),
		Socket: &reports.Socket{Observed: true, Held: &reports.Survival{Until: 0.0007, Bound: 0.0001}},
		Exit:   &reports.Exit{At: 30, Words: "exit status 0"},
		Curves: []reports.Curve{
			{Kind: "polite", N: 2, Last: 0.002, Steps: []reports.CurveStep{{At: 0.001, Survival: 0.5}, {At: 0.002}}},
			{Kind: "ignores", N: 2, Censored: 1, Last: 30, Steps: []reports.CurveStep{{At: 29, Survival: 0.5}}},
		},
	}
	for _, held := range []float64{0.001, 0.002} {
		s.Crowd = append(s.Crowd, reports.Member{Kind: "polite", Close: &reports.Close{Code: &told}, Ending: "fin",
			EndedAt: held, Held: &reports.Survival{Until: held}})
	}
	s.Crowd = append(s.Crowd,
		reports.Member{Kind: "ignores", Close: &reports.Close{Code: &told}, Ending: "fin", EndedAt: 29,
			Held: &reports.Survival{Until: 29, Bound: 1}},
		reports.Member{Kind: "ignores", Ending: "open", EndedAt: 30, Held: &reports.Survival{Until: 30, Censored: true}},
		reports.Member{Kind: "connecting", Refused: true, Ending: "open"})
	return s
}
