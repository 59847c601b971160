package matrix

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/finwait/finwait/reports"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is what a server might send to break a table.
const hostile = "a | b \x1b[2J </td><script>x</script> `code` *bold* [link](//x) \u202e \r\n| forged | row |"

// example is a matrix with every kind of cell.
func example() *Matrix {
	m := &Matrix{Format: Format, Version: Version, Host: "linux/amd64", Profile: reports.Profile{CloseTimeout: 10,
		Response: 1, Patience: 35}, Runs: 3}
	code, lost := 1000, 1006
	m.Targets = []*Outcome{
		{
			Name: "one", Language: "C", Library: hostile, LibVersion: "1.0", Notes: hostile, At: time.Date(2026, 11, 23,
				0, 0, 0, 0, time.UTC),
			Cells: []*Cell{
				{ID: "sanity/close", Verdict: "pass", Wire: &reports.Close{Code: &code},
					Event: &reports.AppEvent{Code: &lost}, Ending: "fin", Held: &reports.Survival{Until: 0.001}},
				{ID: "linger/no-fin", Verdict: "fail", Ending: "open", Held: &reports.Survival{Until: 35,
					Censored: true}, Others: []string{"pass", "fail"}, Race: hostile,
					Breaches: []Breach{{Rule: "R19", Grade: "BUDGET", Want: hostile, Got: hostile, Because: hostile}}},
				{ID: "linger/keeps-sending", Verdict: "skip", Missing: []string{"local"}},
				{ID: "server-close/ignores", Verdict: "error", Error: hostile},
			},
		},
		{Name: "two", Language: "Go", Library: "l", LibVersion: "2.0", Error: hostile, At: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)},
	}
	return m
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestTerminal checks that text from a server is escaped before it reaches the terminal.
func TestTerminal(t *testing.T) {
	var b bytes.Buffer
	if err := example().Terminal(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "terminal.txt", b.Bytes())
	m := example()
	for _, o := range m.Targets {
		o.Name, o.LibVersion = hostile, hostile
	}
	if err := m.Terminal(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.ContainsAny(line, "\x1b\r\u202e") || strings.HasPrefix(line, "| forged") {
			t.Errorf("not escaped: %q", line)
		}
	}
}

var codeSpan = regexp.MustCompile("`[^`\n]+`")

// TestMarkdown checks that text from a server cannot break a table row or add markup.
func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := example().Markdown(&b, "drawings"); err != nil {
		t.Fatal(err)
	}
	golden(t, "matrix.md", b.Bytes())
	for _, line := range strings.Split(codeSpan.ReplaceAllString(b.String(), ""), "\n") {
		if strings.ContainsAny(line, "<\x1b\r\u202e") || strings.HasPrefix(line, "| forged") {
			t.Errorf("not escaped: %q", line)
		}
	}
}

// TestIntervals checks that a lifetime whose end is not known better is shown as an interval, and
// that witnesses who disagree are told of.
func TestIntervals(t *testing.T) {
	m := example()
	run := &reports.Report{Scenarios: []reports.Scenario{
		{ID: "linger/no-fin", Verdict: "pass", Wire: &reports.Wire{Ending: "fin"}, Socket: &reports.Socket{Observed: true, By: "probes",
			Held:   &reports.Survival{Until: 30.5, Bound: 1},
			Others: []reports.Witness{{By: "kernel", Held: &reports.Survival{Until: 28}}}}},
		{ID: "terminate/ignores", Verdict: "pass", Wire: &reports.Wire{Ending: "rst"}, Socket: &reports.Socket{Observed: true, By: "probes",
			Held: &reports.Survival{Until: 0.31, Bound: 0.31}}},
	}}
	m.Targets[0].Cells = nil
	m.Targets[0].fill(new(Target), nil, run)
	var page, table bytes.Buffer
	for _, err := range []error{m.Markdown(&page, ""), m.Terminal(&table)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const disagree = "one: the witnesses of linger/no-fin disagree: probes: let go between 29.5 s and 30.5 s; kernel: held 28.0 s"
	for text, list := range map[string][]string{
		page.String():  {" – fin 29–31 s |", " – rst 0–1 s |", `"29–31 s": the process let go of the socket between these two times.`},
		table.String(): {"fin 29–31 s", disagree},
	} {
		for _, want := range list {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	if c := m.Targets[0].Cells[0]; c.By != "probes" || len(c.Disagree) != 1 {
		t.Errorf("%+v", c)
	}
}
