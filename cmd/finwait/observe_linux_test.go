package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/finwait/finwait/reports"
)

// TestObserveElsewhere: a server in another network namespace, which a veth joins with that of
// finwait, is judged as if finwait ran beside it: by an observer in the namespace of its process,
// and by one that runs there as a command. The server keeps its socket for a second.
func TestObserveElsewhere(t *testing.T) {
	t.Parallel()
	peers, server := joinedNamespaces(t)
	for name, c := range map[string]struct{ flags []string }{
		"by process":        {[]string{"--server-pid", server}},
		"beside the server": {[]string{"--observe-exec", "exec nsenter -t " + server + " -n finwait observe --port 9001"}},
		"through a process": {[]string{"--observe-exec", "exec finwait observe --port 9001 --server-pid " + server}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.json")
			args := append([]string{"-t", peers, "-n", "finwait", "run", "ws://10.213.0.2:9001/", "--only", "linger/no-fin",
				"--only", "abnormal/rst", "--patience", "4s", "--close-timeout", "300ms", "--json", file}, c.flags...)
			out, err := exec.CommandContext(t.Context(), "nsenter", args...).CombinedOutput()
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

// joinedNamespaces makes two network namespaces that a veth joins, and runs the reference server in
// the second one at 10.213.0.2:9001. It returns a process of each.
func joinedNamespaces(t *testing.T) (peers, server string) {
	t.Helper()
	const address = `read -r _ && ip link set lo up && ip addr add "$1/24" dev fw0 && ip link set fw0 up && `
	peers, joinPeers, _ := namespaceOf(t, address+"echo ready && read -r _", "10.213.0.1")
	server, joinServer, lines := namespaceOf(t, address+
		`exec finwait serve --listen "$1:9001" --fault fin-late --close-timeout 1s`, "10.213.0.2")
	veth := exec.Command("nsenter", "-t", peers, "-n", "ip", "link", "add", "fw0", "type", "veth", "peer", "name", "fw0",
		"netns", server)
	if out, err := veth.CombinedOutput(); err != nil {
		t.Skipf("no veth, which needs CAP_NET_ADMIN: %v %s", err, out)
	}
	joinPeers()
	joinServer()
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "listening on") {
		t.Fatalf("the server wrote %q, %v", line, err)
	}
	return peers, server
}

// namespaceOf runs a script in a network namespace of its own until the test ends. join lets it go
// on after its first read.
func namespaceOf(t *testing.T, script string, arg string) (pid string, join func(), lines *bufio.Reader) {
	t.Helper()
	for _, tool := range []string{"ip", "nsenter", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s in $PATH", tool)
		}
	}
	if out, err := exec.Command("unshare", "-n", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace, which needs CAP_SYS_ADMIN: %v %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", "echo there; "+script, "sh", arg)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, _, rest, _ := beginCommand(t, cmd)
	t.Cleanup(func() { _, _, _ = in.Close(), cmd.Process.Kill(), cmd.Wait() })
	return strconv.Itoa(cmd.Process.Pid), func() { _, _ = io.WriteString(in, "\n") }, rest.(*bufio.Reader)
}

// Without the right to enter another namespace, the error says which one is missing.
func TestObserveWithoutTheRight(t *testing.T) {
	t.Parallel()
	_, server := joinedNamespaces(t)
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
