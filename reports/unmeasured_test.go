package reports_test

import (
	"bytes"
	"html"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/finwait/finwait/reports"
)

// unmeasured is a report of a server elsewhere: two scenarios of which nothing was broken, one
// that failed and one that warned. The rule that each exists for was not measured.
func unmeasured() *reports.Report {
	scenario := func(id, verdict string, more ...reports.Finding) reports.Scenario {
		s := reports.Scenario{ID: id, Family: "linger", Title: "hangs", Verdict: verdict, Asks: []string{"R19"}, Findings: append(more,
			reports.Finding{Rule: "R19", Grade: "BUDGET", Outcome: "unmeasured", Got: "the server is elsewhere", Missing: "local"},
			reports.Finding{Rule: "R25", Grade: "MUST", Outcome: "unmeasured", Got: "no events are told", Missing: "finwait:events"})}
		if verdict == reports.Skip {
			s.Missing = []string{"local"}
		}
		return s
	}
	kept := reports.Finding{Rule: "R8", Grade: "MUST", Outcome: "kept", Got: "FIN at 2.00 ms"}
	must := reports.Finding{Rule: "R5", Grade: "MUST", Outcome: "breached", Want: "a legal frame", Got: "126 bytes"}
	should := reports.Finding{Rule: "R7", Grade: "SHOULD", Outcome: "breached", Want: "1 Close frame", Got: "2 Close frames"}
	return &reports.Report{Format: reports.Format, Version: reports.Version, Scenarios: []reports.Scenario{
		scenario("linger/no-fin", reports.Skip, kept), scenario("linger/fin-later", reports.Skip, kept),
		scenario("linger/keeps-sending", reports.Fail, must), scenario("linger/half-close-early", reports.Warn, should),
	}}
}

// TestUnmeasured: every report says which rule that a scenario exists for could not be measured,
// and why, whatever the verdict.
func TestUnmeasured(t *testing.T) {
	r := unmeasured()
	const why = "the server is elsewhere"
	for name, least := range map[string]int{ // how often it says so: alike ones stand together
		"JUnit": 4, "strict JUnit": 4, "Markdown": 3, "annotations": 2, "JSON": 4, "page": 4, "text": 3,
	} {
		text := html.UnescapeString(everything(t, r)[name])
		if n := strings.Count(strings.Join(strings.Fields(text), " "), why); n < least {
			t.Errorf("%s says %d times that %s, expected %d:\n%s", name, n, why, least, text)
		}
		if !strings.Contains(text, "R19") {
			t.Errorf("%s does not name the rule:\n%s", name, text)
		}
	}
	var text bytes.Buffer
	reports.NewTerminal(&text, reports.TerminalOptions{Width: 400}).End(r)
	want := "skip    2 scenarios: needs local: the server is elsewhere. No rule that could be judged is broken; " +
		"not measured: R19 linger/{no-fin,fin-later}\n"
	if !strings.Contains(text.String(), want) {
		t.Errorf("the terminal does not say %q:\n%s", want, text.String())
	}
}

// TestUnmeasuredSince: a diff says why there is no pass any more; a report of an earlier finwait,
// which does not tell what a scenario asks, can be compared.
func TestUnmeasuredSince(t *testing.T) {
	before, after := unmeasured(), unmeasured()
	before.Scenarios, after.Scenarios = before.Scenarios[:1], after.Scenarios[:1]
	before.Scenarios[0].Verdict, before.Scenarios[0].Missing, before.Scenarios[0].Asks = reports.Pass, nil, nil
	got := reports.Compare(before, after, threshold)
	want := []reports.Change{{ID: "linger/no-fin", What: "verdict", Old: "pass", New: "skip", Trend: "other",
		Unmeasured: "R19 was not measured: the server is elsewhere"}}
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text":     func(b *bytes.Buffer) error { return got.Text(b) },
		"Markdown": func(b *bytes.Buffer) error { return got.Markdown(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil || !strings.Contains(b.String(), want[0].Unmeasured) {
			t.Errorf("%s: %v\n%s", name, err, b.String())
		}
	}
}
