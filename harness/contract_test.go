package harness_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// A target that claims a command and does not obey it gets a clear error in
// every scenario that needs it, never a pass.
func TestLyingTargets(t *testing.T) {
	tests := []struct {
		name     string
		lie      func(*contractServer, net.Conn, string, string) bool
		scenario string
		err      string
		check    string // what check-target says of it
	}{
		{"close", silent("close"), "server-close/polite",
			"claims finwait:close, but it is not obeyed: no Close frame within", "no Close frame within"},
		{"terminate", silent("terminate"), "terminate/polite",
			"claims finwait:terminate, but it is not obeyed: TCP still open", "TCP still open"},
		{"terminate says goodbye", func(_ *contractServer, c net.Conn, name, _ string) bool {
			if name != "terminate" {
				return false
			}
			closeWith(c, "1000")
			return c.Close() == nil
		}, "terminate/polite", "close 1000 was sent: a hard kill sends no Close frame", "a hard kill sends no Close frame"},
		{"fill", silent("fill"), "terminate/stops-reading",
			"claims finwait:fill, but it is not obeyed: asked for 200000 bytes", "asked for 200000 bytes"},
		{"kick-all", silent("kick-all"), "kick/all", "claims finwait:kick-all, but it is not obeyed",
			"the connection that asked"},
		{"events says nothing", silent("events"), "peer-close/code-1000",
			"claims finwait:events, but it is not obeyed: finwait:events: await the events", "await the events"},
		{"events is no JSON", answers(1, "[\x1b]0;gotcha\x07"), "peer-close/code-1000", "not with a JSON array",
			"not with a JSON array"},
		{"events of other types", answers(1, `[{"code":"1000"}]`), "peer-close/code-1000", "not with a JSON array",
			"not with a JSON array"},
		{"events is of null", answers(1, `[null]`), "peer-close/code-1000", "each with a code or null",
			"each with a code or null"},
		{"events has no code", answers(1, `[{"reason":"finwait"}]`), "peer-close/code-1000",
			"each with a code or null", "each with a code or null"},
		{"events of 1970", answersKnown(`[{"code":null,"at":"1970-01-01T00:00:00Z"}]`), "peer-close/code-1000",
			"malformed: its time is 1970", "malformed: its time is 1970"},
		{"events of another token", answersKnown(`[{"code":4567}]`), "peer-close/code-1000",
			"answers for another token", "answers for another token"},
		{"events is an object", answers(1, `{"code":1000}`), "peer-close/code-1000",
			"claims finwait:events, but it is not obeyed", "await the events"},
		{"events of no token", answers(1, `[{"code":null,"reason":"finwait"}]`), "peer-close/code-1000",
			"a token that was never used", "a token that was never used"},
		{"events become malformed", answers(4, `[{]`), "peer-close/code-1000", "not with a JSON array", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := serveContract(t, &contractServer{hello: everything, lie: test.lie})
			run := startOne(t, target, test.scenario).Wait()
			if r := run.Results[0]; r.Verdict != harness.Errored || !strings.Contains(r.Err, test.err) {
				t.Errorf("%s: %s, notes %q; want %q", r.Verdict, r.Err, run.Notes, test.err)
			}
			if test.check == "" {
				return
			}
			c, err := contract.CheckTarget(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			wrong := slices.DeleteFunc(slices.Clone(c.Checks),
				func(c *contract.Check) bool { return c.Works || !c.Claimed })
			if len(wrong) == 0 || !strings.Contains(wrong[0].Got, test.check) {
				for _, c := range wrong {
					t.Errorf("wrong: %+v", c)
				}
			}
		})
	}
}

// startOne starts one scenario.
func startOne(t *testing.T, target *servers.Target, id string) *harness.Batch {
	t.Helper()
	list, err := scenarios.Selection{Only: []string{id}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	batch, err := harness.Start(t.Context(), target, list, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// A second close event that comes once the result was given out corrects it.
func TestLateSecondEvent(t *testing.T) {
	asked := map[string]int{}
	target := serveContract(t, &contractServer{hello: everything,
		lie: func(s *contractServer, c net.Conn, name, args string) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			asked[args]++ // after the scenario, after the probe, and at the end
			if name != "events" || asked[args] < 3 || len(s.events[args]) == 0 {
				return false
			}
			_ = wsutil.WriteServerText(c, []byte(`[{"code":1000},{"code":1006}]`))
			return true
		}})
	batch := startOne(t, target, "peer-close/code-1000")
	var given []*harness.Result
	for r := range batch.Results() {
		given = append(given, r)
	}
	if len(given) != 2 || given[0].Verdict == harness.Fail || given[0].Corrected ||
		given[1].Verdict != harness.Fail || !given[1].Corrected {
		t.Fatalf("%d results", len(given))
	}
	awaited, err := batch.Await(t.Context(), "peer-close/code-1000")
	if run := batch.Wait(); err != nil || awaited != given[1] || len(run.Results) != 1 || run.Results[0] != given[1] {
		t.Errorf("%+v, %+v, %v", run.Results, awaited, err)
	}
	if text := reports.Explain(reports.NewScenario(given[1])); !strings.Contains(text, "2 close events") {
		t.Error(text)
	}
}

// A close that only ends TCP is no lie: it is carried out, and R14 fails.
func TestCloseWithoutCloseFrame(t *testing.T) {
	target := serveContract(t, &contractServer{hello: everything,
		lie: func(_ *contractServer, c net.Conn, name, _ string) bool {
			return name == "close" && c.Close() == nil
		}})
	if r := startOne(t, target, "server-close/polite").Wait().Results[0]; r.Verdict != harness.Fail {
		t.Errorf("%s: %s", r.Verdict, r.Err)
	}
}

// What the conformance check says of targets that do most of it right.
func TestCheckTarget(t *testing.T) {
	text := func(s string) func(*contractServer, net.Conn, string, string) bool {
		return func(_ *contractServer, c net.Conn, name, args string) bool {
			lie := name == "close" && strings.Contains(args, "why")
			if lie {
				closeWith(c, s)
			}
			return lie
		}
	}
	tests := []struct {
		name, hello  string
		lie          func(*contractServer, net.Conn, string, string) bool
		wrong        evidence.Capability
		says         string
		work, absent int
	}{
		{name: "right", hello: everything, work: 9},
		{name: "an echo server", hello: "finwait:hello", wrong: "finwait:hello", says: "no text that begins with",
			work: 3, absent: 5},
		{name: "two commands", hello: "finwait:v1 close events", work: 6, absent: 3},
		{name: "another command", hello: everything + " explode", wrong: "finwait:hello", says: `names "explode"`,
			work: 8},
		{name: "another code", hello: everything, lie: text("1000"), wrong: evidence.CanClose,
			says: "sent close 1000", work: 8},
		{name: "a polite kill", hello: everything, wrong: evidence.CanTerminate, says: "close 1001 was sent", work: 8,
			lie: func(_ *contractServer, c net.Conn, name, _ string) bool {
				if name == "terminate" {
					closeWith(c, "1001")
					_ = c.Close()
				}
				return name == "terminate"
			}},
		{name: "kicks the one that asks", hello: everything, wrong: evidence.CanKickAll,
			says: "another connection that was open was not closed", work: 8,
			lie: func(_ *contractServer, c net.Conn, name, args string) bool {
				if name == "kick-all" {
					closeWith(c, args)
				}
				return name == "kick-all"
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := contract.CheckTarget(t.Context(),
				serveContract(t, &contractServer{hello: test.hello, lie: test.lie}))
			if err != nil {
				t.Fatal(err)
			}
			work, absent := 0, 0
			for _, check := range c.Checks {
				switch {
				case check.Works:
					work++
				case !check.Claimed:
					absent++
				case check.Command != test.wrong || !strings.Contains(check.Got, test.says):
					t.Errorf("%+v", check)
				}
			}
			if work != test.work || absent != test.absent {
				t.Errorf("%d work, %d are missing, want %d and %d", work, absent, test.work, test.absent)
				for _, check := range c.Checks {
					t.Logf("%+v", check)
				}
			}
		})
	}
	if _, err := contract.CheckTarget(t.Context(),
		&servers.Target{URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:1"}, Profile: profile}); err == nil {
		t.Error("a port that nobody listens on conforms")
	}
}

// Command lines instead of the contract's messages: here they write what they
// were given to a pipe, from which a server takes its orders.
func TestExec(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	mkfifo(t, pipe)
	s := &contractServer{lie: func(_ *contractServer, c net.Conn, name, _ string) bool {
		_ = wsutil.WriteServerText(c, []byte("finwait:"+name)) // an echo server
		return true
	}}
	target := serveContract(t, s)
	orders, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(orders); lines.Scan() && lines.Text() != "end"; {
			fields := strings.SplitN(lines.Text(), "|", 3)
			s.mu.Lock()
			for fields[0] != "all" && s.conns[fields[0]] == nil { // the handshake is over before it stands there
				s.opened.Wait()
			}
			for token, c := range s.conns {
				if fields[0] == "all" && !strings.Contains(token, ":") || token == fields[0] {
					closeWith(c, strings.TrimSpace(fields[1]+" "+fields[2]))
				}
			}
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { fmt.Fprintln(orders, "end"); <-done; _ = orders.Close() })

	run := func(closeExec, kickExec string, only ...string) map[string]*harness.Result {
		t.Helper()
		target := *target
		target.CloseExec, target.KickExec = closeExec, kickExec
		list, err := scenarios.Selection{Only: only}.Apply(scenarios.All())
		if err != nil {
			t.Fatal(err)
		}
		batch, err := harness.Start(context.WithoutCancel(t.Context()), &target, list, harness.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]*harness.Result{}
		for _, r := range batch.Wait().Results {
			out[r.Scenario.ID] = r
		}
		return out
	}
	write := fmt.Sprintf("test {code} != 1005 || exit 127; printf '%%s|%%s|%%s\\n' {token} {code} {reason} > '%s'",
		pipe)
	for id, r := range run(write, "", "server-close/polite", "server-close/code-1001", "server-close/mid-message",
		"server-close/refused-1005", "peer-close/simultaneous") {
		closed := r.Verdict == harness.Pass || r.Verdict == harness.Warn // the server leaves it to the peer to close TCP
		if skipped := id == "server-close/refused-1005"; skipped && r.Verdict != harness.Skip || !skipped && !closed {
			t.Errorf("%s: %s %s %q\n%s", id, r.Verdict, r.Err, r.Missing, reports.Explain(reports.NewScenario(r)))
		}
	}
	r := run("", "printf 'all|%s|\\n' {code} > '"+pipe+"'", "kick/all", "server-close/polite")
	if r["kick/all"].Verdict == harness.Skip || len(r["kick/all"].Record.Closes) == 0 || r["server-close/polite"].Verdict != harness.Skip {
		t.Errorf("%+v", r["kick/all"])
	}
	// Nothing can be chosen, and so that is not judged.
	fixed := fmt.Sprintf("printf '%%s|1000|\\n' {token} > '%s'", pipe)
	for id, want := range map[string][]evidence.Capability{
		"server-close/code-1001": {evidence.ChosenCode,
			evidence.ChosenReason}, "server-close/refused-1005": {evidence.ChosenCode}, "server-close/polite": nil,
	} {
		r := run(fixed, "", id)[id]
		unjudged := slices.ContainsFunc(r.Findings, func(f rules.Finding) bool {
			return f.Rule.ID == "R14" && f.Outcome == rules.Unmeasured && f.Missing == evidence.ChosenCode
		})
		if !slices.Equal(r.Missing, want) || r.Verdict == harness.Fail || unjudged != (want == nil) {
			t.Errorf("%s without {code}: %s, missing %q\n%s", id, r.Verdict, r.Missing, reports.Explain(reports.NewScenario(r)))
		}
	}
	for line, want := range map[string]struct {
		verdict harness.Verdict
		err     string
	}{
		"exit 127":               {harness.Skip, "exit status 127"},
		"no-such-command {code}": {harness.Skip, "not found"},
		"echo no such thing; exit 3": {harness.Errored,
			`a command line is given for finwait:close, but it is not obeyed`},
		"true":     {harness.Errored, "no Close frame within"},
		"sleep 60": {harness.Errored, "did not end in time"},
	} {
		got := run(line, "", "server-close/polite")["server-close/polite"]
		if got.Verdict != want.verdict || !strings.Contains(got.Err, want.err) {
			t.Errorf("%s: %s %s", line, got.Verdict, got.Err)
		}
	}
}
