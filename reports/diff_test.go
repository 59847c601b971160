package reports_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
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
	s.Findings[0].Outcome, s.Findings[0].Want, s.Findings[0].Got = string(rules.Breached), "a Close frame", hostile
	s.Wire.Closes = nil
	s = by(after, "peer-close/reason") // better
	s.Verdict = string(harness.Pass)
	s.Findings[0].Outcome = string(rules.Kept)
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
	fits(t, "diff", json.Bytes())
	safe(t, markdown.String())
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
			return &reports.Report{Scenarios: []reports.Scenario{{ID: "a/b", Verdict: "pass",
				Socket: &reports.Socket{Observed: true, Held: &s}}}}
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

// TestDiffOfRules: a rule that was not judged in one of the two is neither worse nor
// better, and what can no longer be carried out is worse, whatever it was.
func TestDiffOfRules(t *testing.T) {
	type one struct{ verdict, outcome string }
	for _, c := range []struct {
		was, is one
		want    string // trends and kinds
	}{
		{one{"pass", "kept"}, one{"fail", "breached"}, "worse verdict, worse rule"},
		{one{"fail", "breached"}, one{"pass", "kept"}, "better verdict, better rule"},
		{one{"info", "measured"}, one{"fail", "breached"}, "worse verdict, worse rule"},
		{one{"pass", "unmeasured"}, one{"fail", "breached"}, "worse verdict, other rule"},
		{one{"fail", "breached"}, one{"pass", "unmeasured"}, "better verdict, other rule"},
		{one{"pass", "moot"}, one{"pass", "kept"}, ""},
		{one{"fail", "breached"}, one{"fail", "moot"}, "other rule"},
		{one{"fail", "breached"}, one{"error", ""}, "worse verdict, other rule"},
		{one{"known", "breached"}, one{"error", ""}, "worse verdict, other rule"},
		{one{"pass", "kept"}, one{"error", ""}, "worse verdict"},
		{one{"error", ""}, one{"fail", "breached"}, "other verdict, other rule"},
		{one{"error", ""}, one{"pass", "kept"}, "better verdict"},
		{one{"skip", "unmeasured"}, one{"error", ""}, "other verdict"},
		{one{"skip", "unmeasured"}, one{"fail", "breached"}, "other verdict, other rule"},
	} {
		report := func(o one, held float64) *reports.Report {
			s := reports.Scenario{ID: "a/b", Verdict: o.verdict, Exit: &reports.Exit{At: held},
				Socket: &reports.Socket{Observed: true, Held: &reports.Survival{Until: held}}}
			if o.outcome != "" {
				s.Findings = []reports.Finding{{Rule: "R19", Outcome: o.outcome}}
			}
			return &reports.Report{Scenarios: []reports.Scenario{s}}
		}
		held := 1.0
		if c.was.verdict == "error" || c.is.verdict == "error" {
			held = 30 // the figures of an error are cut short, and tell nothing
		}
		d := reports.Compare(report(c.was, held), report(c.is, 1), threshold)
		slices.SortFunc(d.Changes, func(a, b reports.Change) int { return strings.Compare(b.What, a.What) })
		var got []string
		for _, change := range d.Changes {
			got = append(got, change.Trend+" "+change.What)
			if c.is.verdict == "error" && strings.Contains(change.New, "kept") {
				t.Errorf("%v, then %v: %q", c.was, c.is, change.New)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%v, then %v: %q, want %q", c.was, c.is, got, c.want)
		}
	}
}

// TestDiffOfLasting: what lasted longer is told of a crowd, of repetitions, and of
// TCP where the socket was not observed.
func TestDiffOfLasting(t *testing.T) {
	type s = reports.Scenario
	observed := &reports.Socket{Observed: true, Held: &reports.Survival{Until: 1}}
	wire := func(ending string, at float64) *reports.Wire { return &reports.Wire{Ending: ending, EndedAt: at} }
	member := func(kind string, held float64) reports.Member {
		return reports.Member{Kind: kind, Ending: "fin", EndedAt: 0.001, Held: &reports.Survival{Until: held}}
	}
	repeated := func(wire bool, at ...float64) *reports.Repeats {
		c := reports.Curve{N: len(at), Last: at[len(at)-1], Wire: wire}
		for i, t := range at {
			left := float64(len(at)-i-1) / float64(len(at))
			c.Steps = append(c.Steps, reports.CurveStep{At: t, Survival: left, Low: max(0, left-0.3), High: min(1, left+0.3)})
		}
		return &reports.Repeats{Curve: &c}
	}
	late := repeated(false, 2.5, 2.6, 2.7, 2.8)
	late.Curve.Bound = 1
	for name, c := range map[string]struct {
		was, is s
		want    string
	}{
		"a peer of the crowd": {s{Crowd: []reports.Member{member("polite", 0.1), member("ignores", 2)}},
			s{Crowd: []reports.Member{member("polite", 0.1), member("polite", 30), member("ignores", 2)}},
			"worse crowd: the longest of polite held 100 ms → the longest of polite held 30.0 s"},
		"a crowd of one kind": {s{Crowd: []reports.Member{member("", 30)}}, s{Crowd: []reports.Member{member("", 1)}},
			"better crowd: the longest of its crowd held 30.0 s → the longest of its crowd held 1.00 s"},
		"a crowd on the wire": {s{Crowd: []reports.Member{{Ending: "fin", EndedAt: 1}}},
			s{Crowd: []reports.Member{{Ending: "open", EndedAt: 35}}},
			"worse crowd: the longest of its crowd TCP open 1.00 s → the longest of its crowd TCP open > 35.0 s"},
		"seen otherwise": {s{Crowd: []reports.Member{{Ending: "fin", EndedAt: 1}}},
			s{Crowd: []reports.Member{member("", 30)}}, ""},
		"the wire": {s{Wire: wire("fin", 0.01)}, s{Wire: wire("rst", 30)}, "worse wire: TCP open " +
			"10.0 ms → TCP open 30.0 s"},
		"the wire, one of them observed": {s{Wire: wire("fin", 30), Socket: observed}, s{Wire: wire("fin", 1)},
			"better wire: TCP open 30.0 s → TCP open 1.00 s"},
		"the wire beside a socket": {s{Wire: wire("fin", 0.01), Socket: observed}, s{Wire: wire("fin", 30), Socket: observed}, ""},
		"an end that was not seen": {s{Wire: wire("unseen", 1)}, s{Wire: wire("fin", 30)}, ""},
		"repeated": {s{Repeated: repeated(false, 1, 1.1, 1.2, 1.3)}, s{Repeated: repeated(false,
			2.5, 2.6, 2.7, 2.8)}, "worse repeated: the median of its plays let go between 1.00 s and 1.30 s → the median " +
			"of its plays let go between 2.50 s and 2.80 s"},
		"repeated, within the bounds": {s{Repeated: repeated(false, 1, 1.1, 1.2, 3)}, s{Repeated: repeated(false, 1.5,
			3, 3.1, 3.2)}, ""},
		"repeated, and seen late": {s{Repeated: repeated(false, 1, 1.1, 1.2, 1.3)}, s{Repeated: late}, ""},
		"repeated, on the wire":   {s{Repeated: repeated(false, 1, 1.1)}, s{Repeated: repeated(true, 30, 30.1)}, ""},
	} {
		report := func(s s) *reports.Report { return &reports.Report{Scenarios: []reports.Scenario{s}} }
		var got []string
		for _, change := range reports.Compare(report(c.was), report(c.is), threshold).Changes {
			got = append(got, change.Trend+" "+change.What+": "+change.Old+" → "+change.New)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestKnownFailures(t *testing.T) {
	run := example()
	for _, r := range run.Results {
		if r.Verdict == harness.Fail && strings.HasPrefix(r.Scenario.ID, "violation/") {
			r.Verdict = harness.Known
			r.Findings[0].Known = &rules.KnownFailure{Reason: "see the tracker " + hostile, Until: time.Date(2027, 1, 31,
				0, 0, 0, 0, time.UTC)}
		}
	}
	golden(t, "known.txt", terminal(run, reports.TerminalOptions{Width: 100}))
	var b bytes.Buffer
	if err := reports.JUnit(&b, reports.New(run), false); err != nil {
		t.Fatal(err)
	}
	golden(t, "known.xml", b.Bytes())
}

// TestExcuses: each report tells which breaches of a failure are excused, which were
// until a date, and which are new.
func TestExcuses(t *testing.T) {
	run := example()
	for _, r := range run.Results {
		if r.Scenario.ID != "violation/opcode-5/ignores" { // others are alike, but for this
			continue
		}
		lapsed, excused := r.Findings[0], r.Findings[0]
		lapsed.Rule.ID, excused.Rule.ID = "R28", "R36"
		lapsed.Known, lapsed.Lapsed = &rules.KnownFailure{Reason: "see the tracker", Until: time.Date(2020, 12, 31, 0, 0,
			0, 0, time.UTC)}, true
		excused.Known = &rules.KnownFailure{Reason: "it is so"}
		r.Findings = append([]rules.Finding{excused, lapsed}, r.Findings...)
	}
	var junit, markdown, github, json bytes.Buffer
	for _, err := range []error{reports.JUnit(&junit, reports.New(run), true), reports.Markdown(&markdown,
		reports.New(run), reports.CommentMost), reports.GitHub(&github, reports.New(run)), reports.JSON(&json, reports.New(run))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	fits(t, "report", json.Bytes())
	text := string(terminal(run, reports.TerminalOptions{Width: 100}))
	for name, text := range map[string]string{"terminal": text, "JUnit": junit.String(), "Markdown": markdown.String(),
		"annotations": github.String(), "JSON": json.String()} {
		for _, want := range []string{"was excused until 2020-12-31 (see the tracker), no longer", "excused: it is so"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not tell that it %s", name, want)
			}
		}
	}
	for name, text := range map[string]string{"terminal": text, "JUnit": junit.String(), "annotations": github.String()} {
		if n := strings.Count(text, "new: none of the known failures"); n != 1 {
			t.Errorf("the %s calls %d breaches new", name, n)
		}
	}
	if !strings.Contains(junit.String(), `message="want the server process holds the socket for at most 13.0 s; got the server process held the socket for 20.0 s (close timeout)"`) {
		t.Error("the failure's message in JUnit is not of a breach that counts")
	}
}

// TestWarningBesideKnown: a warning of another rule is listed beside a known failure.
func TestWarningBesideKnown(t *testing.T) {
	run := example()
	for _, r := range run.Results {
		if r.Scenario.ID != "violation/opcode-5/ignores" {
			continue
		}
		warning := r.Findings[0]
		warning.Rule.ID, warning.Weight, warning.Got = "R36", rules.Warns, "exit status 3"
		for i := range r.Findings {
			r.Findings[i].Known = &rules.KnownFailure{Reason: "it is so"}
		}
		r.Findings, r.Verdict = append(r.Findings, warning), harness.Known
	}
	var markdown, github bytes.Buffer
	if err := errors.Join(reports.Markdown(&markdown, reports.New(run), reports.CommentMost), reports.GitHub(&github,
		reports.New(run))); err != nil {
		t.Fatal(err)
	}
	text := string(terminal(run, reports.TerminalOptions{Width: 100}))
	for name, text := range map[string]string{"terminal": text, "Markdown": markdown.String(), "annotations": github.String()} {
		if !strings.Contains(text, "exit status 3") {
			t.Errorf("%s: no warning is told:\n%s", name, text)
		}
	}
}

// TestDiffIsLinear: a report that is ten times as long takes about ten times as long,
// not a hundred times.
func TestDiffIsLinear(t *testing.T) {
	report := func(n int) *reports.Report {
		s := reports.Scenario{ID: "a/b"}
		for i := range n {
			name := fmt.Sprintf("R%d", i)
			s.Findings = append(s.Findings, reports.Finding{Rule: name, Outcome: "kept"})
			s.Crowd = append(s.Crowd, reports.Member{Kind: name, Ending: "fin"})
		}
		return &reports.Report{Scenarios: []reports.Scenario{s}}
	}
	took := func(n int) time.Duration {
		r, best := report(n), time.Hour
		for range 3 {
			start := time.Now()
			reports.Compare(r, r, threshold)
			best = min(best, time.Since(start))
		}
		return best
	}
	if small, large := took(2_000), took(20_000); large > 40*small {
		t.Errorf("2,000 rules take %s, 20,000 take %s", small, large)
	}
}
