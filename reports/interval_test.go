package reports_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// probed is a run whose sockets are told of by probes, by an observer, and by several witnesses.
func probed() *harness.Run {
	run := example()
	run.Stopped = ""
	template := *run.Results[0]
	budget := rules.Rule{ID: "R19", Req: "R19", Grade: rules.Budget, Clause: "close timeout", Text: "the process lets go of the socket"}
	result := func(id string, v harness.Verdict, s evidence.Socket) *harness.Result {
		r, record, wire := template, *template.Record, *template.Record.Record
		record.Record, record.Socket, r.Record, r.Verdict = &wire, s, &record, v
		wire.Stopped = 35 * time.Second
		r.Scenario = &harness.Scenario{ID: id, Title: "does what " + id + " says", Script: template.Scenario.Script}
		r.Findings = []rules.Finding{{Rule: budget, Outcome: rules.Kept, Want: "the server process holds the socket for at most 13.0 s",
			Got: "the server process let go of the socket in time"}}
		if v == harness.Fail {
			r.Findings[0].Outcome, r.Findings[0].Got = rules.Breached, "the server process held the socket for longer"
		}
		return &r
	}
	looks := func(held ...float64) []peers.Look {
		var out []peers.Look
		for _, at := range held {
			d := time.Duration(at * float64(time.Second))
			out = append(out, peers.Look{Asked: d, Answered: d + 600*time.Microsecond, State: peers.Held, How: "ACK of one byte"})
		}
		return out
	}
	letGo := func(at float64) peers.Look {
		d := time.Duration(at * float64(time.Second))
		return peers.Look{Asked: d - 400*time.Microsecond, Answered: d, State: peers.LetGo, How: "RST in answer to one byte"}
	}
	unknown := peers.Look{Asked: 31 * time.Second, Answered: 35 * time.Second, State: peers.Unknown, How: "no answer " + hostile}
	watched := evidence.Survival{Until: 30*time.Second + 2*time.Millisecond, Bound: 2 * time.Millisecond}
	early, late := evidence.Combine(append(looks(13, 20, 27), letGo(28))), evidence.Combine(append(looks(13, 20, 29.5), letGo(30.5), unknown))
	kernel := evidence.Socket{Observed: true, By: evidence.Kernel, Accepted: true, State: "FIN_WAIT2", Held: watched,
		States: template.Record.Socket.States, Others: []evidence.Socket{early,
			{By: evidence.Observer, Why: "the observer stopped: " + hostile}}}
	observer := evidence.Socket{Observed: true, By: evidence.Observer, Accepted: true, State: "FIN_WAIT2",
		Held: evidence.Survival{Until: 20 * time.Second, Bound: 300 * time.Millisecond}}
	run.Results = []*harness.Result{
		result("linger/no-fin", harness.Fail, late),
		result("linger/witnesses", harness.Fail, kernel),
		result("peer-close/code-1000", harness.Pass, evidence.Combine([]peers.Look{letGo(0.31)})),
		result("abnormal/half-close", harness.Fail, evidence.Combine(looks(13, 20, 29.5))),
		result("abnormal/vanish-idle", harness.Fail, observer),
		result("abnormal/filtered", harness.Skip, evidence.Combine([]peers.Look{unknown})),
	}
	run.Results[5].Missing = []evidence.Capability{evidence.Local}
	repeated := result("linger/again", harness.Fail, late)
	for i := range 8 {
		at := 29.5 + float64(i%4)/5
		repeated.Plays = append(repeated.Plays, result("linger/again", harness.Fail,
			evidence.Combine(append(looks(13, at), letGo(at+1)))))
	}
	stop := result("shutdown/mixed", harness.Fail, late)
	stop.Scenario.Stops = true
	for i := range 6 {
		peer, s := *stop.Record.Record, evidence.Combine(append(looks(float64(i)), letGo(float64(i)+1.5)))
		if i == 5 {
			s = evidence.Combine(looks(5, 9))
		}
		stop.Record.Crowd = append(stop.Record.Crowd, &evidence.Record{Record: &peer, Kind: "ignores", Socket: s},
			&evidence.Record{Record: &peer, Kind: "polite", Socket: evidence.Socket{Observed: true, By: evidence.Kernel,
				Held: evidence.Survival{Until: time.Duration(i+1) * time.Millisecond, Bound: time.Millisecond}}})
	}
	run.Results = append(run.Results, repeated, stop)
	return run
}

func TestIntervals(t *testing.T) {
	r := reports.New(probed())
	var b bytes.Buffer
	if err := reports.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "intervals.json", b.Bytes())
	fits(t, "report", b.Bytes())
	golden(t, "intervals.txt", terminal(probed(), reports.TerminalOptions{Width: 80, Verbose: true}))
	const disagree = "kernel: held 30.0 s; probes: let go between 27.0 s and 28.0 s"
	all := everything(t, r)
	for report, list := range map[string][]string{
		"JUnit": {"socket held: between 29.5 s and 30.5 s", "socket held: within 310 ms", disagree, "asked at 29.5 s: held (ACK of one byte)",
			`name="witnesses" value="probes: let go between 29.5 s and 30.5 s (5 looks)"`},
		"Markdown":    {"The longest hang was linger/no-fin, let go between 29.5 s and 30.5 s.", "### Witnesses that disagree", disagree},
		"annotations": {"told    probes: let go between 29.5 s and 30.5 s (5 looks)"},
		"page": {"let go between 29.5 s and 30.5 s, as the probes found", "let go within 310 ms", "held &gt; 29.5 s", `class="doubt"`,
			"asked at 30.5 s: let go (RST in answer to one byte)", "within the striped part", "Turnbull&#39;s estimate", disagree},
		"text": {"let go of the socket at some moment within it", "Turnbull's estimate", disagree},
	} {
		for _, want := range list {
			if !strings.Contains(strings.Join(strings.Fields(all[report]), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s: no %q in\n%s", report, want, all[report])
			}
		}
	}
}

// TestTold: what witnesses saw stands below a breach, without what was before the trigger; a scenario
// that was not carried out has nothing that they could prove.
func TestTold(t *testing.T) {
	socket := &reports.Socket{Observed: true, By: "probes", Held: &reports.Survival{Until: 30, Censored: true}, Looks: []reports.Look{
		{Asked: -0.1, Answered: -0.1, State: "held", How: "the server's FIN"},
		{Asked: 30, Answered: 30.1, State: "held", How: "one byte acknowledged"}}}
	breach := []reports.Finding{{Rule: "R19", Outcome: "breached"}}
	for name, tt := range map[string]struct {
		s    reports.Scenario
		told bool
	}{
		"breach":          {reports.Scenario{Findings: breach, Socket: socket}, true},
		"not carried out": {reports.Scenario{Error: "await upgrade: the server ended TCP (rst)", Socket: socket}, false},
	} {
		if got := reports.Explain(&tt.s); strings.Contains(got, "told    probes: held > 30.0 s (1 look)") != tt.told ||
			strings.Contains(got, "told") != tt.told {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestSurvivalInWords: an end is told as an interval where its bound is above 1 % and 50 ms.
func TestSurvivalInWords(t *testing.T) {
	for want, s := range map[string]reports.Survival{
		"held 2.00 s":                        {Until: 2, Bound: 0.001},
		"held 2.00 ms, 1.00 ms less at most": {Until: 0.002, Bound: 0.001},
		"held 1.00 s, 50.0 ms less at most":  {Until: 1, Bound: 0.05},
		"held 0.24 ms, 0.24 ms less at most": {Until: 0.00024, Bound: 0.0006}, // it did not end before the trigger
		"held 30.0 s":                        {Until: 30, Bound: 0.3},
		"let go between 29.5 s and 30.5 s":   {Until: 30.5, Bound: 1},
		"let go between 949 ms and 1.00 s":   {Until: 1, Bound: 0.051},
		"let go within 310 ms":               {Until: 0.31, Bound: 0.31},
		"let go within 300 ms":               {Until: 0.3, Bound: 2},
		"held > 29.5 s":                      {Until: 29.5, Censored: true},
		"held > 20.0 s":                      {Until: 20, Bound: 3, Censored: true},
	} {
		if got := s.Held(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

// TestDisagreements: two witnesses disagree where no moment is within the bounds of both.
func TestDisagreements(t *testing.T) {
	held := func(until, bound float64) *reports.Survival { return &reports.Survival{Until: until, Bound: bound} }
	still := func(until float64) *reports.Survival { return &reports.Survival{Until: until, Censored: true} }
	for name, c := range map[string]struct {
		kernel, probes *reports.Survival
		want           string
	}{
		"within":              {held(30, 0.002), held(30.5, 1), ""},
		"earlier":             {held(28, 0.002), held(30.5, 1), "kernel: held 28.0 s; probes: let go between 29.5 s and 30.5 s"},
		"later":               {held(31, 0.002), held(30.5, 1), "kernel: held 31.0 s; probes: let go between 29.5 s and 30.5 s"},
		"later, by the bound": {held(30.6, 0.1), held(30.5, 1), ""},
		"by milliseconds":     {held(30.54, 0.001), held(30.5, 1), ""},
		"still held":          {held(28, 0.002), still(29.5), "kernel: held 28.0 s; probes: held > 29.5 s"},
		"both still held":     {still(35), still(29.5), ""},
		"one still held, and the other let go before": {still(35), held(30.5, 1),
			"kernel: held > 35.0 s; probes: let go between 29.5 s and 30.5 s"},
		"one still held, and the other let go later": {still(10), held(30.5, 1), ""},
		"one does not know":                          {held(28, 0.002), nil, ""},
	} {
		s := &reports.Socket{Observed: true, Held: c.kernel, Others: []reports.Witness{{By: "probes", Held: c.probes}}}
		if got := strings.Join(s.Disagreements(), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (*reports.Socket)(nil).Disagreements(); got != nil {
		t.Error(got)
	}
}

// TestDiffOfIntervals: intervals that overlap are no change, and the reader is told that another
// witness measured.
func TestDiffOfIntervals(t *testing.T) {
	report := func(by string, held reports.Survival) *reports.Report {
		return &reports.Report{Scenarios: []reports.Scenario{{ID: "linger/no-fin", Verdict: reports.Fail,
			Socket: &reports.Socket{Observed: true, By: by, Held: &held}}}}
	}
	interval := func(low, high float64) reports.Survival { return reports.Survival{Until: high, Bound: high - low} }
	for name, c := range map[string]struct {
		was, is reports.Survival
		want    string
	}{
		"they overlap":         {interval(10, 20), interval(19, 40), ""},
		"one within the other": {interval(10, 60), interval(20, 30), ""},
		"an exact one, within": {reports.Survival{Until: 30}, interval(29, 60), ""},
		"later": {interval(1, 2), interval(29, 31),
			"worse: let go between 1.00 s and 2.00 s → let go between 29.0 s and 31.0 s"},
		"earlier": {interval(29, 31), interval(1, 2),
			"better: let go between 29.0 s and 31.0 s → let go between 1.00 s and 2.00 s"},
		"still held, and longer": {interval(1, 2), reports.Survival{Until: 29, Censored: true},
			"worse: let go between 1.00 s and 2.00 s → held > 29.0 s"},
		"still held before": {reports.Survival{Until: 29, Censored: true}, interval(29, 60), ""},
	} {
		d := reports.Compare(report("kernel", c.was), report("probes", c.is), threshold)
		got := ""
		for _, change := range d.Changes {
			got += change.Trend + ": " + change.Old + " → " + change.New
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if want := "who told how long sockets were held differs: kernel; then probes"; fmt.Sprint(d.Notes) != "["+want+"]" {
			t.Errorf("%s: notes %q", name, d.Notes)
		}
	}
	if d := reports.Compare(report("", interval(1, 2)), report("kernel", interval(1, 2)), threshold); len(d.Notes) > 0 {
		t.Errorf("earlier reports are the kernel's: %q", d.Notes)
	}
}

// TestCrowdOfIntervals: where ends are known only as intervals, the curve says so.
func TestCrowdOfIntervals(t *testing.T) {
	run := crowd()
	for i, m := range run.Members {
		if m.Kind == peers.Ignores {
			run.Members[i].Bound = 500 * time.Millisecond
		}
	}
	c := reports.NewCrowd(run)
	var text, drawing, encoded bytes.Buffer
	reports.CrowdText(&text, c, reports.TerminalOptions{Width: 100})
	for _, err := range []error{reports.CrowdSVG(&drawing, c), reports.CrowdJSON(&encoded, c)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"Kaplan-Meier, or Turnbull's estimate", "median between 1.54 s and 2.00 s", "░: the curve falls"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if n := strings.Count(drawing.String(), "fill-opacity"); n != 1 {
		t.Errorf("%d shaded parts in\n%s", n, drawing.String())
	}
	narrow := crowd()
	c = reports.NewCrowd(narrow)
	for _, k := range c.Kinds {
		if k.Curve.Estimator != "" || strings.Contains(k.Curve.Summary(), "between") {
			t.Errorf("%+v", k.Curve)
		}
	}
}
