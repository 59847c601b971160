//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// However often a scenario is played that needs a server of its own, a bounded number
// of servers run at the same time; every play has its result, also where plays that
// are skipped have servers.
func TestServersAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Each server counts those that run when it starts. A process is gone when finwait has waited for it.
	script := fmt.Sprintf(`cd %s; : >pid.$$; n=0; for p in pid.*; do kill -0 ${p#pid.} 2>/dev/null && n=$((n+1)); done; echo $n >>counts; exec finwait serve --listen 127.0.0.1:$PORT`, dir)
	most := max(8, 2*runtime.NumCPU())
	var out bytes.Buffer
	code := Main([]string{"run", "--exec", script, "--kick-exec", "exit 127", "--only", "shutdown/polite", "--only",
		"kick/all*", "--crowd", "1",
		"--repeat", strconv.Itoa(most), "--close-timeout", "500ms", "--patience", "15s"}, &out, &out)
	text := strings.Join(strings.Fields(out.String()), " ")
	note := fmt.Sprintf("%d plays need a server of their own: %d of these run at the same time, the others start as they end", 3*most, most)
	for _, want := range []string{note, fmt.Sprintf("%d pass", most), "1 passed", "2 skipped"} {
		if code != exitOK || !strings.Contains(text, want) {
			t.Errorf("exit status %d, and no %q in\n%s", code, want, out.String())
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "counts"))
	if err != nil {
		t.Fatal(err)
	}
	highest := 0
	for _, line := range strings.Fields(string(b)) {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		highest = max(highest, n)
	}
	if highest < 2 || highest > most+1 { // with the one that all share
		t.Errorf("%d servers ran at the same time, want up to %d", highest, most+1)
	}
}

// A run takes as long as its longest hang, and a few seconds: the check before it and
// the questions behind it do not wait for what the server holds.
func TestRunTakesItsLongestHang(t *testing.T) {
	t.Parallel()
	const patience = 4 * time.Second
	var out bytes.Buffer
	began := time.Now()
	code := Main([]string{"run", "--exec", "finwait serve --listen 127.0.0.1:{port} --fault waits-for-fin", "--only",
		"sanity", "--only", "kick", "--only", "shutdown/polite",
		"--crowd", "5", "--close-timeout", "2s", "--response", "500ms", "--stop-timeout", "2s", "--patience",
		patience.String()}, &out, &out)
	took := time.Since(began)
	if code != exitFailed || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "held > 4.") {
		t.Errorf("exit status %d\n%s", code, out.String())
	}
	if most := patience + 8*time.Second; took > most {
		t.Errorf("%s, want less than %s", took, most)
	}
}

// A host may have IPv6 alone: the embedded server listens there, and the port of another
// one is free at the address that the URL names.
func TestIPv6Alone(t *testing.T) {
	const alone = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo && ip addr show dev lo | grep -q ::1 && exec \"$@\""
	in := func(args ...string) *exec.Cmd { // a network namespace of its own
		return exec.CommandContext(t.Context(), "unshare", append([]string{"-rn", "sh", "-c", alone, "sh"}, args...)...)
	}
	if out, err := in("true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace without IPv4: %v %s", err, out)
	}
	for name, args := range map[string][]string{
		"embedded": {"finwait", "run", "--only", "sanity"},
		"--exec":   {"finwait", "run", "--exec", "finwait serve --listen [::1]:{port}", "ws://[::1]:{port}/", "--only", "sanity"},
		"no URL":   {"finwait", "run", "--exec", "finwait serve --listen [::1]:$PORT", "--only", "sanity"},
	} {
		if out, err := in(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), "2 passed") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// A server at a link-local address is found in this host's kernel, by run and crowd.
func TestLinkLocal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets are observed on Linux alone")
	}
	const linkLocal = "ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec \"$@\""
	in := func(args ...string) *exec.Cmd { // a network namespace of its own
		return exec.CommandContext(t.Context(), "unshare", append([]string{"-rn", "sh", "-c", linkLocal, "sh"}, args...)...)
	}
	if out, err := in("true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace with a link-local address: %v %s", err, out)
	}
	server := []string{"--exec", "finwait serve --listen [fe80::1%lo]:{port}", "ws://[fe80::1%25lo]:{port}/"}
	for want, args := range map[string][]string{
		"1 passed":               {"finwait", "run", "--only", "peer-close/code-1000"},
		"share of sockets alive": {"finwait", "crowd", "--peers", "6", "--hold", "10ms"},
	} {
		out, err := in(append(args, server...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "not observed") {
			t.Errorf("%s: %v\n%s", args[1], err, out)
		}
	}
}

// Without a /proc the embedded server cannot be started; the error names what can be done, and
// that works.
func TestNoProc(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux finds a program by /proc")
	}
	in := func(args ...string) *exec.Cmd { // a mount namespace of its own
		const hidden = "mount -t tmpfs none /proc && exec \"$@\""
		return exec.CommandContext(t.Context(), "unshare", append([]string{"-rm", "sh", "-c", hidden, "sh"}, args...)...)
	}
	if out, err := in("true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v %s", err, out)
	}
	for _, args := range [][]string{{"run", "--only", "sanity"}, {"crowd", "--peers", "2"}} {
		out, err := in(append([]string{"finwait"}, args...)...).CombinedOutput()
		remedy := "mount /proc, or give --exec 'finwait serve --listen 127.0.0.1:{port}'\n"
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != exitNotDone ||
			!strings.HasSuffix(string(out), remedy) {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
	out, err := in("finwait", "run", "--exec", "finwait serve --listen 127.0.0.1:{port}", "--only", "sanity").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "2 passed") {
		t.Errorf("--exec: %v\n%s", err, out)
	}
}
