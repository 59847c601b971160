package reports_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
)

var threshold = reports.Threshold{Share: 0.2, Least: 250 * time.Millisecond}

// changed is the example, and what became of it.
func changed() (before, after *reports.Report) {
	before, after = reports.New(example()), reports.New(example())
	after.Started = after.Started.Add(time.Hour)
	after.Profile.CloseTimeout = 30
	by := func(r *reports.Report, id string) *reports.Scenario {
		i := slices.IndexFunc(r.Scenarios, func(s reports.Scenario) bool { return s.ID == id })
		return &r.Scenarios[i]
	}
	s := by(after, "peer-close/code-1000") // worse
	s.Verdict = string(harness.Fail)
	s.Findings[0].Outcome, s.Findings[0].Want, s.Findings[0].Got = string(harness.Breached), "a Close frame", hostile
	s.Wire.Closes = nil
	s = by(after, "peer-close/reason") // better
	s.Verdict = string(harness.Pass)
	s.Findings[0].Outcome = string(harness.Kept)
	s = by(after, "abnormal/vanish-idle") // longer
	s.Socket.Held.Until = 60
	s = by(after, "linger/no-fin") // shorter: it was censored at 35 s
	s.Socket.Held = &reports.Survival{Until: 10, Bound: 0.01}
	after.Scenarios = slices.DeleteFunc(after.Scenarios, func(s reports.Scenario) bool { return s.ID == "abnormal/reboot" })
	return before, after
}

func TestDiff(t *testing.T) {
	before, after := changed()
	d := reports.Compare(before, after, threshold)
	if !d.Regressed() {
		t.Error("not worse")
	}
	var text, markdown, json bytes.Buffer
	for _, err := range []error{d.Text(&text), d.Markdown(&markdown), d.JSON(&json)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "diff.txt", text.Bytes())
	golden(t, "diff.md", markdown.Bytes())
	golden(t, "diff.json", json.Bytes())
	for _, b := range [][]byte{text.Bytes(), markdown.Bytes()} {
		if bytes.ContainsAny(b, "\x1b\r\x00") || bytes.Contains(b, []byte("\u202e")) {
			t.Errorf("not escaped: %q", b)
		}
	}
}

func TestDiffOfTheSame(t *testing.T) {
	r := reports.New(example())
	if d := reports.Compare(r, r, threshold); d.Regressed() || len(d.Changes) != 0 || d.Same != len(r.Scenarios) {
		t.Errorf("%+v", d)
	}
}

// TestDiffOfLives: a change counts beyond both error bounds and the threshold; of
// a life that was censored only what it can tell.
func TestDiffOfLives(t *testing.T) {
	for _, c := range []struct {
		was, is reports.Survival
		want    string
	}{
		{reports.Survival{Until: 10}, reports.Survival{Until: 11.9}, ""},
		{reports.Survival{Until: 10}, reports.Survival{Until: 12.1}, "worse"},
		{reports.Survival{Until: 10}, reports.Survival{Until: 12.1, Bound: 0.2}, ""},
		{reports.Survival{Until: 10}, reports.Survival{Until: 7.9}, "better"},
		{reports.Survival{Until: 10, Bound: 0.2}, reports.Survival{Until: 7.9}, ""},
		{reports.Survival{Until: 0.001}, reports.Survival{Until: 0.25}, ""},
		{reports.Survival{Until: 0.001}, reports.Survival{Until: 0.26}, "worse"},
		{reports.Survival{Until: 10}, reports.Survival{Until: 35, Censored: true}, "worse"},
		{reports.Survival{Until: 10}, reports.Survival{Until: 5, Censored: true}, ""}, // it looked too short
		{reports.Survival{Until: 35, Censored: true}, reports.Survival{Until: 10}, "better"},
		{reports.Survival{Until: 5, Censored: true}, reports.Survival{Until: 10}, ""},
		{reports.Survival{Until: 35, Censored: true}, reports.Survival{Until: 60, Censored: true}, ""},
	} {
		report := func(s reports.Survival) *reports.Report {
			return &reports.Report{Scenarios: []reports.Scenario{{ID: "a/b", Verdict: "pass", Socket: &reports.Socket{Observed: true, Held: &s}}}}
		}
		got := ""
		for _, change := range reports.Compare(report(c.was), report(c.is), threshold).Changes {
			got += change.Trend
		}
		if got != c.want {
			t.Errorf("%s, then %s: %q, want %q", c.was, c.is, got, c.want)
		}
	}
}

func TestKnownFailures(t *testing.T) {
	run := example()
	for _, r := range run.Results {
		if r.Verdict == harness.Fail && strings.HasPrefix(r.Scenario.ID, "violation/") {
			r.Verdict, r.Known = harness.Known, &harness.KnownFailure{Reason: "see the tracker " + hostile, Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}
		}
	}
	golden(t, "known.txt", terminal(run, reports.TerminalOptions{Width: 100}))
	var b bytes.Buffer
	if err := reports.JUnit(&b, run, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "known.xml", b.Bytes())
}
