package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/finwait/finwait/internal/lab"
	"github.com/finwait/finwait/reports"
)

// TestObserveElsewhere: a server in another network namespace is judged as if finwait ran beside it:
// by an observer in the namespace of its process, and by one that runs there as a command. The
// server keeps its socket for a second.
func TestObserveElsewhere(t *testing.T) {
	t.Parallel()
	l, address, server := serveElsewhere(t)
	for name, flags := range map[string][]string{
		"by process":        {"--server-pid", server},
		"beside the server": {"--observe-exec", "exec nsenter -t " + server + " -n finwait observe --port 9001"},
		"through a process": {"--observe-exec", "exec finwait observe --port 9001 --server-pid " + server},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("nsenter"); err != nil && name == "beside the server" {
				t.Skip("needs nsenter in $PATH")
			}
			file := filepath.Join(t.TempDir(), "report.json")
			cmd := exec.CommandContext(t.Context(), "finwait", append([]string{"run", "ws://" + address + "/",
				"--only", "linger/no-fin", "--only", "abnormal/rst", "--patience", "4s", "--close-timeout", "300ms", "--json", file},
				flags...)...)
			var out []byte
			err := l.Client.Do(func() (err error) {
				out, err = cmd.CombinedOutput()
				return err
			})
			text, unread := os.ReadFile(file)
			if unread != nil || strings.Contains(string(out), "note ") {
				t.Fatalf("%v\n%s", err, out)
			}
			var report reports.Report
			if err := json.Unmarshal(text, &report); err != nil {
				t.Fatal(err)
			}
			for i := range report.Scenarios {
				s := &report.Scenarios[i]
				if s.Socket == nil || !s.Socket.Observed || s.Socket.Held.Censored || s.Socket.Lost {
					t.Errorf("%s: %+v", s.ID, s.Socket)
					continue
				}
				t.Logf("%s: held for %.4f s, up to %.4f s less", s.ID, s.Socket.Held.Until, s.Socket.Held.Bound)
				least, most := 0.0, 0.3 // seconds
				if s.ID == "linger/no-fin" {
					least, most = 1.0, 1.3
				}
				if h := s.Socket.Held; h.Until < least || h.Until-h.Bound > most || h.Bound > 0.5 {
					t.Errorf("%s: held for %g s, up to %g s less; want %g s to %g s", s.ID, h.Until, h.Bound, least, most)
				}
			}
			if len(report.Scenarios) != 2 {
				t.Errorf("%d scenarios\n%s", len(report.Scenarios), out)
			}
		})
	}
}

// serveElsewhere runs the reference server in a network namespace of its own, and returns its
// address and its process id.
func serveElsewhere(t *testing.T) (l *lab.Lab, address, pid string) {
	t.Helper()
	l, address = lab.New(t, lab.Options{}), lab.ServerIP4.String()+":9001"
	cmd := exec.CommandContext(t.Context(), "finwait", "serve", "--listen", address, "--fault", "fin-late", "--close-timeout", "1s")
	if err := l.Server.Do(func() error { beginCommand(t, cmd); return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return l, address, strconv.Itoa(cmd.Process.Pid)
}

// Without the right to enter another namespace, the error says which one is missing.
func TestObserveWithoutTheRight(t *testing.T) {
	t.Parallel()
	_, _, server := serveElsewhere(t)
	const drop = "--bounding-set=-sys_admin,-sys_ptrace"
	if out, err := exec.Command("setpriv", drop, "true").CombinedOutput(); err != nil {
		t.Skipf("no setpriv that drops capabilities: %v %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "setpriv", drop, "finwait", "observe", "--port", "9001", "--server-pid",
		server).CombinedOutput()
	const want = "needs CAP_SYS_ADMIN, and for a process of another user CAP_SYS_PTRACE: run finwait as root, or run finwait " +
		"observe beside the server, by --observe-exec"
	if err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}
