package reports_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is what a server might send to break a terminal, XML or a log; markup is
// what might break Markdown, make links and mentions of it, or commands for GitHub's
// runner.
const (
	hostile = "\x1b[2J\x1b]0;title\x07 ]]> </failure><x a=\"&\"> \x00 \u202egnp.exe\ufffe \xff\xfe \r\nforged line"
	markup  = "| ` * _ ~ $ \\| [l](https://evil.example) @evil #1 evil/evil#1 www.evil.example 100%0A ::error::evil ##[stop-commands]evil ##vso[task.complete result=Failed] \r\n::error::forged line"
)

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

func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		name string
		o    reports.TerminalOptions
	}{
		{"narrow.txt", reports.TerminalOptions{Width: 40}},
		{"log.txt", reports.TerminalOptions{Width: 100}},
		{"colour.txt", reports.TerminalOptions{Width: 80, Color: true}},
		{"verbose.txt", reports.TerminalOptions{Width: 100, Verbose: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := terminal(example(), c.o)
			golden(t, c.name, got)
			for i, line := range strings.Split(string(got), "\n") {
				if strings.TrimRight(line, " ") != line {
					t.Errorf("line %d ends in a blank: %q", i+1, line)
				}
			}
		})
	}
}

func terminal(run *harness.Run, o reports.TerminalOptions) []byte {
	var b bytes.Buffer
	show := reports.NewTerminal(&b, o)
	show.Begin(run.Target, len(run.Results), run.Notes...)
	for _, r := range run.Results {
		show.Result(reports.NewScenario(r))
	}
	show.End(reports.New(run))
	return b.Bytes()
}

func TestALiveLineIsNotLeftBehind(t *testing.T) {
	got := terminal(example(), reports.TerminalOptions{Width: 80, Live: true})
	for _, line := range strings.Split(string(got), "\n") {
		drawn := strings.Split(line, "\r\x1b[K")
		if last := drawn[len(drawn)-1]; strings.Contains(last, " done, ") {
			t.Errorf("left behind: %q", last)
		}
	}
}

func TestJUnit(t *testing.T) {
	for _, strict := range []bool{false, true} {
		name := map[bool]string{false: "junit.xml", true: "junit-strict.xml"}[strict]
		var b bytes.Buffer
		if err := reports.JUnit(&b, reports.New(example()), strict); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		wellFormed(t, b.Bytes())
		if strict {
			validate(t, b.Bytes())
		}
	}
}

// validate checks a strict file against the schema of Jenkins' xUnit plugin,
// which is not part of this repository.
func validate(t *testing.T, report []byte) {
	xsd := os.Getenv("FINWAIT_JUNIT_XSD")
	xmllint, err := exec.LookPath("xmllint")
	if xsd == "" || err != nil {
		t.Log("not validated: needs xmllint, and junit-10.xsd named by FINWAIT_JUNIT_XSD")
		return
	}
	cmd := exec.Command(xmllint, "--noout", "--schema", xsd, "-")
	cmd.Stdin = bytes.NewReader(report)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %s", err, out)
	}
}

func wellFormed(t *testing.T, doc []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %s", err)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := reports.JSON(&b, reports.New(example())); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.Bytes())
	fits(t, "report", b.Bytes())
	back, err := reports.ReadJSON(&b)
	if err != nil || len(back.Scenarios) != len(example().Results) {
		t.Errorf("read back: %v", err)
	}
	for _, foreign := range []string{"", "{", "[]", `{"format":"other"}`, `{"format":"finwait-report","version":2}`} {
		if _, err := reports.ReadJSON(strings.NewReader(foreign)); err == nil {
			t.Errorf("%q was read as a report", foreign)
		}
	}
}

// fits checks a document against a schema of docs.
func fits(t *testing.T, name string, doc []byte) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../docs/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report")
	write := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error { _, _ = io.WriteString(w, text); return err }
	}
	if err := reports.CheckWritable(path); err != nil {
		t.Error(err)
	}
	if err := reports.WriteFile(path, write("whole", nil)); err != nil {
		t.Error(err)
	}
	if err := reports.WriteFile(path, write("half", errors.New("broken"))); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := reports.CheckWritable(path); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "whole" {
		t.Errorf("the complete file was lost: %q", got)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "missing", "report")} {
		if err := reports.CheckWritable(bad); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", bad, err)
		}
		if err := reports.WriteFile(bad, write("x", nil)); err == nil {
			t.Errorf("%s was written", bad)
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzTerminal(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		got := string(terminal(withString(s), reports.TerminalOptions{Width: 60, Verbose: true}))
		for _, r := range got {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q in %q", r, got)
			}
		}
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
	})
}

func FuzzJUnit(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		if err := reports.JUnit(&b, reports.New(withString(s)), false); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
	})
}

// withString is a run in which everything that a server can say is s.
func withString(s string) *harness.Run {
	run := example()
	run.Target, run.Stopped, run.Notes = s, s, []string{s}
	for _, r := range run.Results {
		if r.Err != "" {
			r.Err = s
		}
		for i := range r.Findings {
			r.Findings[i].Got = s
		}
		if r.Record != nil {
			r.Record.Closes = []peers.Close{{Body: append([]byte{3, 232}, s...)}}
			r.Record.Trace = []peers.Event{{Dir: peers.Received, What: s}}
			r.Record.Events.List = []evidence.AppEvent{{Reason: &s, Error: s}}
			r.Record.Socket.Why, r.Record.Alive.Err = s, s
		}
	}
	return run
}

// example is a run with every verdict, and with a hostile server in it.
func example() *harness.Run {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ms := time.Millisecond
	must := rules.Rule{ID: "R1", Req: "R1", Grade: rules.Must, Clause: "RFC 6455, 5.5.1", Text: "a Close frame is answered with a Close frame"}
	budget := rules.Rule{ID: "R19", Req: "R19", Grade: rules.Budget, Clause: "close timeout", Text: "the process lets go of the socket"}
	should := rules.Rule{ID: "R7", Req: "R7", Grade: rules.Should, Clause: "RFC 6455, 7.1.5", Text: "the server sends one Close frame"}
	info := rules.Rule{ID: "R32", Req: "R32", Grade: rules.Info, Clause: "operational", Text: "how long until a keepalive lets go"}
	script := peers.Opened(peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	record := func(held time.Duration, censored bool, reason string) *evidence.Record {
		fin, body := 2*ms, append([]byte{3, 232}, reason...)
		return &evidence.Record{
			Record: &peers.Record{
				Peer: "127.0.0.1:40000", Server: "127.0.0.1:80", Start: at, Trigger: at.Add(5 * ms), Triggered: true, Status: 101,
				Closes: []peers.Close{{At: ms, Frame: peers.Header{Fin: true, Opcode: 8, Length: uint64(len(body))}, Body: body}},
				Ending: peers.FIN, EndedAt: fin, FIN: &fin, Stopped: held,
				Trace: []peers.Event{{At: -ms, Dir: peers.Local, Kind: peers.EventConnect, What: "connected"}, {Dir: peers.Sent, Kind: peers.EventClose, What: "close 1000"},
					{At: ms, Dir: peers.Received, Kind: peers.EventClose, What: peers.Close{Body: body}.String()}, {At: fin, Dir: peers.Received, Kind: peers.EventFIN, What: "FIN"}},
				Elided: 3,
			},
			Socket: evidence.Socket{Observed: true, Accepted: true, State: "FIN_WAIT2", Held: evidence.Survival{Until: held, Bound: 3 * ms, Censored: censored},
				States: []evidence.State{{At: -ms, Name: "ESTABLISHED", Held: true}, {At: fin, Name: "FIN_WAIT2", Held: true}}},
			Alive: evidence.Liveness{Tried: true, OK: true, Took: ms},
		}
	}
	result := func(id string, v harness.Verdict, rec *evidence.Record, findings ...rules.Finding) *harness.Result {
		return &harness.Result{Scenario: &harness.Scenario{ID: id, Title: "does what " + id + " says", Script: script},
			Verdict: v, Findings: findings, Record: rec, Started: at, Took: 1234567 * time.Microsecond}
	}
	breached := func(r rules.Rule, want, got string) rules.Finding {
		return rules.Finding{Rule: r, Outcome: rules.Breached, Want: want, Got: got}
	}
	orphaned := record(2*time.Second, false, "")
	orphaned.Socket.Orphan = &evidence.Survival{Until: 5 * time.Second, Censored: true}
	skipped := result("abnormal/reboot", harness.Skip, nil)
	skipped.Missing = []evidence.Capability{evidence.NetAdmin}
	failed := result("abnormal/rst", harness.Errored, nil)
	failed.Err = "connect: refused " + hostile
	run := &harness.Run{
		Target: "ws://127.0.0.1:80/", Profile: rules.Profile{CloseTimeout: 10 * time.Second, Response: time.Second, Patience: 35 * time.Second},
		Has: map[evidence.Capability]bool{evidence.Echo: true, evidence.Local: true, evidence.NetAdmin: false}, Notes: []string{"a note for the reader"},
		Started: at, Took: 35 * time.Second, Stopped: "interrupted by interrupt",
		Results: []*harness.Result{
			result("peer-close/code-1000", harness.Pass, record(2*ms, false, ""), rules.Finding{Rule: must, Outcome: rules.Kept, Want: "a Close frame", Got: "close 1000 at 1.00 ms"}),
			result("peer-close/reason", harness.Fail, record(2*ms, false, hostile), breached(must, "a Close frame", "no Close frame; "+hostile)),
			result("peer-close/twice", harness.Warn, orphaned, breached(should, "1 Close frame", "2 Close frames")),
			result("linger/no-fin", harness.Fail, record(35*time.Second, true, ""), breached(budget, "the server process holds the socket for at most 13.0 s", "the server process still held the socket (FIN_WAIT2) after 35.0 s")),
			result("abnormal/vanish-idle", harness.Info, record(30*time.Second, false, ""), rules.Finding{Rule: info, Outcome: rules.Measured, Got: "the server process held the socket for 30.0 s"}),
			failed, skipped,
		},
	}
	for i := range 6 {
		held := 20*time.Second + time.Duration(i)*10*ms
		run.Results = append(run.Results, result(fmt.Sprintf("violation/opcode-%d/ignores", i+3), harness.Fail, record(held, false, strings.Repeat("x", 121)),
			breached(budget, "the server process holds the socket for at most 13.0 s", fmt.Sprintf("the server process held the socket for %s", figures.Format(held)))))
	}
	slices.SortStableFunc(run.Results, func(a, b *harness.Result) int { return strings.Compare(a.Scenario.Family(), b.Scenario.Family()) })
	return run
}
