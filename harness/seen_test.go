package harness_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

// These tests are about verdicts on what was, or was not, seen.

// outcomes are those of a result's findings, by rule.
func outcomes(r *harness.Result) map[string]rules.Finding {
	out := map[string]rules.Finding{}
	for _, f := range r.Findings {
		out[f.Rule.ID] = f
	}
	return out
}

// A close event that finwait's own RST brings about, when it gives up, counts as
// none, whatever it says: the server had not let go of the connection.
func TestEventBroughtAboutByGivingUp(t *testing.T) {
	for _, code := range []int{1006, 1011} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			s := &contractServer{hello: everything, lost: code}
			r := startOne(t, serveContract(t, s), "keepalive/no-pong").Wait().Results[0]
			if r.Verdict != harness.Info || len(r.Record.Events.List) > 0 || !r.Record.Events.Asked {
				t.Errorf("%s, events %+v", r.Verdict, r.Record.Events)
			}
			for _, f := range r.Findings {
				if f.Outcome == rules.Kept && f.Rule.ID != rules.Alive.ID {
					t.Errorf("%s is kept: %s", f.Rule.ID, f.Got)
				}
			}
		})
	}
}

// joined is the greeting of a server that tells who was there before.
var joined = slices.Repeat(text("somebody joined"), 100)

// text is a text message on the wire, for one write.
func text(s string) []byte {
	return ws.MustCompileFrame(ws.NewTextFrame([]byte(s)))
}

// chat is a server that greets with many texts, and relays each text to all.
func chat() *contractServer {
	return &contractServer{
		hello: everything,
		greet: func(_ *contractServer, c net.Conn) { _, _ = c.Write(joined) },
		reads: func(s *contractServer, _ net.Conn, data []byte) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			for address, c := range s.conns {
				if !strings.Contains(address, ":") { // by token: it is there by address too
					continue
				}
				_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)) // a peer that does not read must not hold up the others
				_, _ = c.Write(text(string(data)))
				_ = c.SetWriteDeadline(time.Time{})
			}
			return true
		},
	}
}

// A server that talks is neither mute nor dead.
func TestServerThatTalks(t *testing.T) {
	t.Parallel()
	target := serveContract(t, chat())
	list, err := scenarios.Selection{Only: []string{"sanity", "peer-close", "linger/keeps-sending",
		"violation/opcode-3/*", "violation/opcode-4/*", "kick/on-connect"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	batch, err := harness.Start(t.Context(), target, list, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := batch.Wait()
	if !run.Has[evidence.Echo] || !run.Has[evidence.CanOpen] || run.Stopped != "" || len(run.Notes) > 0 {
		t.Errorf("has %v, notes %q, stopped by %q", run.Has, run.Notes, run.Stopped)
	}
	for _, r := range run.Results {
		if f := outcomes(r)["R28-process"]; r.Verdict == harness.Errored || f.Outcome == rules.Breached {
			t.Errorf("%s: %s %s; %s", r.Scenario.ID, r.Verdict, r.Err, f.Got)
		}
	}
	c, err := contract.CheckTarget(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range c.Checks[:3] { // the echoes and hello
		if check.Command != "echo of a binary message" && !check.Works { // which it relays as text
			t.Errorf("%+v", check)
		}
	}
}

// A greeting is no echo: R39 fails where the server cuts everybody.
func TestEverybodyIsCut(t *testing.T) {
	t.Parallel()
	s := &contractServer{hello: everything, greet: func(_ *contractServer, c net.Conn) {
		_,
			_ = c.Write(text("welcome"))
	}}
	s.fails = func(s *contractServer) {
		for _, c := range s.conns {
			_ = c.Close()
		}
	}
	r := startOne(t, serveContract(t, s), "kick/one-of-50").Wait().Results[0]
	if f := outcomes(r)["R39"]; r.Verdict != harness.Fail || f.Outcome != rules.Breached || f.Got != "0 received it" {
		t.Errorf("%s: %s, %s", r.Verdict, f.Outcome, f.Got)
	}
}

// A code that the library refuses is neither a hang nor a breach; a close that
// never ends is one.
func TestRefusedCode(t *testing.T) {
	refuses := func(_ *contractServer, _ net.Conn, name, args string) bool {
		return name == "close" && strings.HasPrefix(args, "1001 ")
	}
	hangs := func(_ *contractServer, c net.Conn, name, args string) bool {
		hang := refuses(nil, nil, name, args)
		if hang {
			_, _ = io.Copy(io.Discard, c)
		}
		return hang
	}
	for _, c := range []struct {
		name    string
		lie     func(*contractServer, net.Conn, string, string) bool
		id      string
		verdict harness.Verdict
		outcome rules.Outcome
		got     string
	}{
		{"refused", refuses, "server-close/code-1001", harness.Info, rules.Moot,
			"the library refused to close with 1001, and the connection went on: close 4000"},
		{"hangs", hangs, "server-close/code-1001", harness.Fail, rules.Breached,
			"no Close frame; TCP still open after"},
		{"taken", refuses, "server-close/code-1008", "", rules.Kept, `close 1008 "why not"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := startOne(t, serveContract(t, &contractServer{hello: everything, lie: c.lie}), c.id).Wait().Results[0]
			f := outcomes(r)["R14"]
			if f.Outcome != c.outcome || !strings.Contains(f.Got, c.got) || c.verdict != "" && r.Verdict != c.verdict {
				t.Errorf("%s: %s, %s", r.Verdict, f.Outcome, f.Got)
			}
		})
	}
}

// A refusal excuses the chosen code alone: another rule that is broken fails, and a
// code that no library refuses is owed.
func TestRefusalExcusesNothingElse(t *testing.T) {
	refuses := func(_ *contractServer, _ net.Conn, name, args string) bool {
		return name == "close" && strings.Contains(args, "why not")
	}
	for _, c := range []struct{ name, id, rule string }{
		{"two events", "server-close/code-1001", "R25"},
		{"a code that no library refuses", "server-close/code-3000", "R14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &contractServer{hello: everything, lie: refuses, twice: true}
			r := startOne(t, serveContract(t, s), c.id).Wait().Results[0]
			if f := outcomes(r)[c.rule]; r.Verdict != harness.Fail || f.Outcome != rules.Breached {
				t.Errorf("%s: %s, %s", r.Verdict, f.Outcome, f.Got)
			}
		})
	}
}

// A second event that finwait's own RST brings about counts as none.
func TestSecondEventBroughtAboutByGivingUp(t *testing.T) {
	t.Parallel()
	s := &contractServer{hello: everything, greet: func(s *contractServer, c net.Conn) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for token, own := range s.conns {
			if own == c && !strings.Contains(token, ":") {
				s.events[token] = append(s.events[token], map[string]any{"code": 1006})
			}
		}
	}}
	r := startOne(t, serveContract(t, s), "keepalive/no-pong").Wait().Results[0]
	if f := outcomes(r)["R25"]; f.Outcome != rules.Kept || len(r.Record.Events.List) != 1 {
		t.Errorf("%s: %s, %d events", r.Verdict, f.Got, len(r.Record.Events.List))
	}
}

// A greeting that looks like the answer to a command is none.
func TestGreetingIsNoAnswer(t *testing.T) {
	for name, greeting := range map[string]string{"no events": "[]", "a chat": `[{"user":"bob"}]`,
		"a list": `["joined",1]`, "nothing": "null", "many bytes": strings.Repeat("f", 300_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &contractServer{hello: everything,
				greet: func(_ *contractServer, c net.Conn) { _, _ = c.Write(text(greeting)) }, lie: silent("fill")}
			target := serveContract(t, s)
			if r := startOne(t, target, "abnormal/fin").Wait().Results[0]; r.Verdict != harness.Pass {
				t.Errorf("%s %s", r.Verdict, r.Err)
			}
			r := startOne(t, target, "terminate/stops-reading").Wait().Results[0]
			if r.Verdict != harness.Errored || !strings.Contains(r.Err, "claims finwait:fill") {
				t.Errorf("%s %s", r.Verdict, r.Err)
			}
		})
	}
}

// What the patience cuts short is not carried out, and is said.
func TestPatienceTooShortForTheScript(t *testing.T) {
	t.Parallel()
	r := startOne(t, serveContract(t, &contractServer{hello: everything}), "abnormal/outage-5s").Wait().Results[0]
	const want = `the patience was over in "pause 5s", before "return": raise --patience`
	if r.Verdict != harness.Skip || !slices.Equal(r.Missing,
		[]evidence.Capability{evidence.Patience}) || r.Err != want {
		t.Errorf("%s, missing %v, %q", r.Verdict, r.Missing, r.Err)
	}
}
