package matrix

import (
	"bytes"
	"strings"
	"testing"

	"github.com/finwait/finwait/reports"
)

// TestUnmeasured checks that a matrix tells which rule that a scenario exists for could not be
// measured, and why.
func TestUnmeasured(t *testing.T) {
	m := example()
	m.Targets[0].Cells = nil
	m.Targets[0].fill(new(Target), nil, &reports.Report{Scenarios: []reports.Scenario{{
		ID: "linger/no-fin", Verdict: "skip", Missing: []string{"local"}, Asks: []string{"R19", "R8"},
		Findings: []reports.Finding{
			{Rule: "R8", Outcome: "kept", Got: "FIN"}, {Rule: "R19", Outcome: "unmeasured", Missing: "local", Got: "it is elsewhere"},
			{Rule: "R25", Outcome: "unmeasured", Missing: "finwait:events", Got: "not asked"},
		},
	}}})
	if got := m.Targets[0].Cells[0].Unseen; len(got) != 1 || got[0] != (Unseen{"R19", "local", "it is elsewhere"}) {
		t.Errorf("%+v", got)
	}
	var page bytes.Buffer
	if err := m.Markdown(&page, ""); err != nil {
		t.Fatal(err)
	}
	if want := "\nlinger/no-fin: skip: `R19 was not measured: it is elsewhere`.\n"; !strings.Contains(page.String(), want) {
		t.Errorf("no %q in\n%s", want, page.String())
	}
}
