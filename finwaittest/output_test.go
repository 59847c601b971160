package finwaittest_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOutput runs tests as go test does, and checks what a Go author sees.
func TestOutput(t *testing.T) {
	here := lineOf(t, "inner_test.go", "// the line of every failure")
	for _, c := range []struct {
		name     string
		run      string   // what follows TestInner/ in -run
		args     []string // further arguments of the test binary
		passes   bool
		contains []string // "HERE: " stands for the line of the call of Run
		lacks    []string
	}{
		{name: "one scenario alone", run: "right/linger/no-fin$", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- PASS: TestInner/right/linger/no-fin (", "\n    pass  linger/no-fin ("},
			lacks:    []string{"fin-later", "sanity/close", "no-fin-server-close"}},
		{name: "quiet", run: "right/sanity", passes: true, lacks: []string{"sanity"}},
		{name: "none is left", run: "right/nothing", passes: true},
		{name: "skipped by go test", run: "right", args: []string{"-test.v", "-test.skip=TestInner/right/linger"}, passes: true,
			contains: []string{"PASS: TestInner/right/sanity/close"}, lacks: []string{"linger/"}},
		{name: "short", run: "right", args: []string{"-test.v", "-test.short"}, passes: true,
			contains: []string{"PASS: TestInner/right/sanity/close"}, lacks: []string{"linger/"}},
		{name: "a failure", run: "wrong",
			contains: []string{"--- FAIL: TestInner/wrong/peer-close/empty (", "HERE: closes without a code\n",
				"        want    any answer but 1005\n", "        got     close 1005 at ", "        clause  RFC 6455, 7.4.1: "},
			lacks: []string{"TestInner/wrong/peer-close/reason"}},
		{name: "a warning", run: "warned", args: []string{"-test.v"}, passes: true,
			contains: []string{"HERE: warning: closes with 1000 right after the handshake\n", "(SHOULD, R7)"}},
		{name: "a late event", run: "late", contains: []string{"--- FAIL: TestInner/late/sanity/close (", "got     2 close events"}},
		{name: "repeated", run: "repeated", contains: []string{"HERE: closes without a code: in 3 of 3 plays\n"}},
		{name: "a handler", run: "handler", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- PASS: TestInner/handler/sanity/echo", "HERE: needs wss"}},
		{name: "a known failure", run: "known", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- SKIP: TestInner/known/peer-close/empty", "HERE: known failure: closes without a code\n",
				"known   excused: it is old", "HERE: note: rules with a weight of their own: R7 off"}},
		{name: "no longer known", run: "not-known",
			contains: []string{"--- FAIL: TestInner/not-known/peer-close/empty", "take it out of the known failures"}},
		{name: "a setting that is no limit", run: "no-limit",
			contains: []string{"HERE: finwaittest: ", `finwait.yaml:1:11: patience: "soon" is no time: give one such as 30s`}},
		{name: "no server", run: "unreachable",
			contains: []string{"HERE: finwaittest: ws://127.0.0.1:1/: connect: ", "--- FAIL: TestInner/unreachable ("},
			lacks:    []string{"FAIL: TestInner/unreachable/"}},
		{name: "no time", run: "right", args: []string{"-test.timeout=4s"},
			contains: []string{"HERE: finwaittest: a scenario may take 1.5s, and the -timeout of go test leaves ", "s, or lower Patience"},
			lacks:    []string{"FAIL: TestInner/right/"}},
		{name: "twice", run: "twice",
			contains: []string{"finwaittest: Run is called twice in this test: give each server a subtest of its own, by t.Run"}},
		{name: "a command that ends", run: "exec",
			contains: []string{"HERE: finwaittest: exit 3: the server ended before it was ready (exit status 3)"}},
		{name: "the test binary as the server", run: "start", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- PASS: TestInner/start/sanity/echo", "--- PASS: TestInner/start/shutdown/polite",
				"--- PASS: TestInner/start/shutdown/stopped-reading"}},
		{name: "a server that does not start", run: "start-fails",
			contains: []string{"HERE: finwaittest: ", "ended before it was ready (exit status 1)", "Start failed: no database"}},
		{name: "a server that ends with an error", run: "stop-fails",
			contains: []string{"--- FAIL: TestInner/stop-fails/shutdown/polite", "R36"}},
		{name: "functions", run: "hooks", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- PASS: TestInner/hooks/server-close/polite", "--- PASS: TestInner/hooks/terminate/polite",
				"--- PASS: TestInner/hooks/kick/all", "--- PASS: TestInner/hooks/peer-close/code-4000"}},
		{name: "an application that is slow to know its connections", run: "hooks-slow", args: []string{"-test.v"}, passes: true,
			contains: []string{"--- PASS: TestInner/hooks-slow/server-close/polite"}},
		{name: "functions that do not what they are for", run: "hooks-wrong", args: []string{"-test.v"},
			contains: []string{"--- FAIL: TestInner/hooks-wrong/server-close/polite",
				"not carried out: a function is given for finwait:close, but it is not obeyed: no Close frame",
				"--- SKIP: TestInner/hooks-wrong/kick/all", "HERE: needs finwait:kick-all: ", "unsupported operation",
				"--- SKIP: TestInner/hooks-wrong/terminate/polite", "HERE: needs finwait:terminate"}},
		{name: "functions that do not return", run: "hooks-block",
			contains: []string{"finwait:terminate, but it is not obeyed",
				"finwait:events, but it is not obeyed: the function for finwait:events did not return within 300 ms"}},
		{name: "fields that contradict each other", run: "fields", contains: []string{
			"which server? give exactly one of URL, Handler, Exec and Start",
			`the URL "http://127.0.0.1:1/" has no ws:// or wss:// in front`,
			"the Path is part of the URL", `the Path "socket" has no slash in front`, "with Exec the URL names the server's port as {port}",
			"reach no server in a process of its own", "StopSignal and ReadyTimeout are for servers that are started",
			"StopExec cannot stop a Handler", "StopExec has {port}, which nothing fills in",
			`Rules: no rule has the id "R99"`, `no scenario matches "sanity/clothes" (did you mean sanity/close?)`,
			"patience 2s does not reach past the close timeout with its tolerance (13s): raise Patience or lower CloseTimeout",
			"AtOnce -1, Repeat 0, Crowd 0: none may be negative", "open nowhere.yaml: "},
			lacks: []string{"fields/none/sanity", "PASS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := goTest(t, c.run, c.args...)
			if (err == nil) != c.passes {
				t.Errorf("error %v, passes: want %v", err, c.passes)
			}
			for _, text := range c.contains {
				if !strings.Contains(got, strings.ReplaceAll(text, "HERE", here)) {
					t.Errorf("no %q", text)
				}
			}
			for _, text := range c.lacks {
				if strings.Contains(got, text) {
					t.Errorf("there is %q", text)
				}
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
}

// TestShort checks that -short plays the fast families, and no other family.
func TestShort(t *testing.T) {
	got, err := goTest(t, "all/.*/(code-1000|polite|no-fin|.*vanish.*|all)$", "-test.v", "-test.short")
	if err != nil {
		t.Error(err)
	}
	played := map[string]bool{}
	for _, m := range regexp.MustCompile(`PASS: TestInner/all/([a-z-]+)/`).FindAllStringSubmatch(got, -1) {
		played[m[1]] = true
	}
	want := []string{"bad-close", "kick", "peer-close", "sanity", "terminate"}
	for family := range played {
		if !slices.Contains(want, family) {
			t.Errorf("%s is not fast", family)
		}
	}
	if len(played) < 3 || strings.Contains(got, "with-handshake") {
		t.Errorf("played: %v\n%s", played, got)
	}
}

// goTest runs the matching subtests of TestInner in a new process.
func goTest(t *testing.T, run string, args ...string) (string, error) {
	t.Helper()
	name, below, _ := strings.Cut(run, "/")
	args = append([]string{"-test.run=^TestInner$/^" + name + "$/" + below, "-test.count=1"}, args...)
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), inner+"=1", "GORACE=atexit_sleep_ms=0")
	out, err := c.CombinedOutput()
	return string(out), err
}

// lineOf returns the position of the text in the file, as go test prints it.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), text)
	if !found {
		t.Fatalf("%s has no %q", file, text)
	}
	return fmt.Sprintf("%s:%d", file, strings.Count(before, "\n")+1)
}
