//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/internal/hostile"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

// begin starts finwait as a process of its own, and waits for its first line.
func begin(t *testing.T, args ...string) (cmd *exec.Cmd, line string, rest io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	return beginCommand(t, exec.CommandContext(t.Context(), "finwait", args...)) // testscript.Main has put it on PATH
}

func beginCommand(t *testing.T, cmd *exec.Cmd) (_ *exec.Cmd, line string, rest io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err = r.ReadString('\n'); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	return cmd, strings.TrimSpace(line), r, stderr
}

// interrupt sends SIGINT and waits for the exit status.
func interrupt(t *testing.T, cmd *exec.Cmd, out io.Reader) int {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // the exit status tells
	return cmd.ProcessState.ExitCode()
}

// interrupted is what a command with reports says of an interrupt.
const interrupted = "finwait: interrupted: writing the reports; once more to give up\nfinwait: interrupted by interrupt\n"

// Signals that follow each other closely are one, and cost no report; SIGHUP is as
// the others, unless it was ignored from the beginning.
func TestSignals(t *testing.T) {
	t.Parallel()
	s, err := hostile.Start("never-reads")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for name, c := range map[string]struct {
		shell string // that takes the place of itself
		kinds []os.Signal
		want  string // the reason
	}{
		"many":             {"exec", []os.Signal{os.Interrupt, syscall.SIGTERM}, "interrupt"},
		"a hangup":         {"exec", []os.Signal{syscall.SIGHUP}, "hangup"},
		"a hangup ignored": {"trap '' HUP; exec", []os.Signal{syscall.SIGHUP, os.Interrupt}, "interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			json := filepath.Join(t.TempDir(), "report.json")
			cmd, _, out, stderr := beginCommand(t, exec.CommandContext(t.Context(), "sh", "-c",
				c.shell+" finwait run "+s.URL+" --json "+json))
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for limit := time.Now().Add(sameInterrupt / 2); time.Now().Before(limit); <-pace.C {
				for _, kind := range c.kinds {
					_ = cmd.Process.Signal(kind) // until it has ended
				}
			}
			if _, err := io.Copy(io.Discard, out); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitNotDone || !strings.HasSuffix(stderr.String(),
				"\nfinwait: interrupted by "+c.want+"\n") {
				t.Errorf("%s, %q", cmd.ProcessState, stderr)
			}
			if err := fits(json, "report"); err != nil {
				t.Error(err)
			}
		})
	}
}

// An interrupt ends the run at once, with whole reports of every scenario.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	s, err := hostile.Start("never-reads")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	junit, json := filepath.Join(t.TempDir(), "junit.xml"), filepath.Join(t.TempDir(), "report.json")
	cmd, _, out, stderr := begin(t, "run", s.URL, "--junit", junit, "--json", json)
	if code := interrupt(t, cmd, out); code != exitNotDone || stderr.String() != interrupted {
		t.Errorf("exit status %d, %q", code, stderr)
	}
	if err := fits(json, "report"); err != nil {
		t.Error(err)
	}
	text, err := os.Open(json)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	report, err := reports.ReadJSON(text)
	if want := len(scenarios.All()); err != nil || len(report.Scenarios) != want || report.Stopped != "interrupted by interrupt" {
		t.Errorf("%v: %d scenarios, want %d; stopped: %q", err, len(report.Scenarios), want, report.Stopped)
	}
	var suites struct {
		Suites []struct {
			Cases []struct{} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	b, err := os.ReadFile(junit)
	if err == nil {
		err = xml.Unmarshal(b, &suites)
	}
	cases := 0
	for _, suite := range suites.Suites {
		cases += len(suite.Cases)
	}
	if err != nil || cases != len(scenarios.All()) {
		t.Errorf("%v: %d test cases", err, cases)
	}
}

// An interrupt of a run with --exec ends every server that it has started: the
// pipe that only they hold comes to its end.
func TestExecInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *os.File, 1)
	go func() {
		held, err := os.Open(pipe) // blocks until the first server has it open
		if err != nil {
			t.Error(err)
		}
		opened <- held
	}()
	cmd, _, out, stderr := begin(t, "run", "--exec", "exec 3>"+pipe+"; exec finwait serve --listen 127.0.0.1:$PORT",
		"--only", "shutdown/*", "--only", "kick/*", "--crowd", "3")
	held := <-opened
	defer held.Close()
	if err := held.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if code := interrupt(t, cmd, out); code != exitNotDone || stderr.String() != interrupted {
		t.Errorf("exit status %d, %q", code, stderr)
	}
	if _, err := io.ReadAll(held); err != nil {
		t.Errorf("a server still runs: %v", err)
	}
}

// An interrupt while the server starts is told as such, and promises no report.
func TestInterruptedAtStart(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "finwait", "run", "--exec", "echo >"+pipe+"; exec sleep 60", "--only", "sanity")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(pipe); err != nil { // until the server has started
		t.Error(err)
	}
	code := interrupt(t, cmd, strings.NewReader(""))
	text := stderr.String()
	if code != exitNotDone || !strings.HasPrefix(text, "finwait: interrupted; once more to give up\n") ||
		!strings.HasSuffix(text, ": the server was not ready: interrupted by interrupt\n") {
		t.Errorf("exit status %d, %q", code, text)
	}
}

// Nothing that finwait started is left, however that came to its end: nobody holds
// the pipe any more that all of it had open.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	const serve = "finwait serve --listen 127.0.0.1:$PORT"
	for name, c := range map[string]struct {
		script string
		args   []string
		code   int
	}{
		"ignores SIGTERM":      {`trap "" TERM; ` + serve + ` & while :; do wait; done`, []string{"--only", "shutdown/polite"}, exitFailed},
		"never ready":          {"sleep 60 & exec sleep 60", []string{"--only", "sanity", "--ready-timeout", "300ms"}, exitNotDone},
		"crashes at start":     {"sleep 60 & exit 3", []string{"--only", "sanity"}, exitNotDone},
		"exits with an error":  {"sleep 60 & " + serve + "; exit 3", []string{"--only", "shutdown/polite"}, exitFailed},
		"children in sessions": {"setsid sleep 60 & (setsid sleep 60 &); exec " + serve, []string{"--only", "sanity"}, exitOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath("setsid"); err != nil && strings.Contains(c.script, "setsid") {
				t.Skip(err)
			}
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := unix.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			held, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			args := append([]string{"run", "--exec", "exec 3>" + pipe + "; echo started >&3; " + c.script, "--crowd", "2",
				"--close-timeout", "100ms", "--stop-timeout", "100ms", "--patience", "1500ms"}, c.args...)
			var out bytes.Buffer
			if code := Main(args, &out, &out); code != c.code {
				t.Errorf("exit status %d, want %d\n%s", code, c.code, out.String())
			}
			if err := held.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(held); err != nil || !strings.HasPrefix(string(b), "started") {
				t.Errorf("something still runs: %v (%q)", err, b)
			}
		})
	}
}

// The reference server says where it listens, and ends by an interrupt.
func TestServe(t *testing.T) {
	cmd, line, out, stderr := begin(t, "serve", "--fault", "two-closes")
	url, ok := strings.CutPrefix(line, "listening on ")
	var stdout bytes.Buffer
	if code := Main([]string{"run", url, "--only", "peer-close/code-1000"}, &stdout, &stdout); !ok || code != exitOK ||
		!strings.Contains(stdout.String(), "1 warned") {
		t.Errorf("%q: exit status %d\n%s", line, code, stdout.String())
	}
	if code := interrupt(t, cmd, out); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, %q", code, stderr)
	}
}

// An interrupted matrix keeps what it has, and nothing that it started runs on:
// the pipe that only the second server holds comes to its end.
func TestMatrixInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"first":  "exec finwait serve --listen 127.0.0.1:$PORT",
		"second": "exec 3>../pipe; sleep 60 & wait",
	} {
		description := "name: " + name + "\nlanguage: Go\nlibrary: l\nversion: 1\ninstall: 'true'\nstart: sh start\n"
		for file, text := range map[string]string{"target.yaml": description, "start": script} {
			file = filepath.Join(dir, name, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := filepath.Join(dir, "m.json")
	cmd, line, out, stderr := begin(t, "matrix", filepath.Join(dir, "first"), filepath.Join(dir, "second"), "-j", "1",
		"--only", "sanity", "--json", kept)
	if !strings.HasPrefix(line, "first: run 1 of 1: 2 pass") {
		t.Error(line)
	}
	held, err := os.Open(pipe) // blocks until the second server has it open
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := held.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if code := interrupt(t, cmd, out); code != exitNotDone || !strings.Contains(stderr.String(), "1 of 2 targets are kept "+
		"in "+kept+"; run again to go on") {
		t.Errorf("exit status %d, %q", code, stderr)
	}
	if _, err := io.ReadAll(held); err != nil {
		t.Errorf("the second server still runs: %v", err)
	}
	text, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(text), `"name": "first"`) || strings.Contains(string(text), `"name": "second"`) {
		t.Errorf("%v, %s", err, text)
	}
}
