package lab

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(new(quiet.Machine).Tests(m)) }

// What listens in the server's namespace is reached from the client's over both families,
// and at 127.0.0.1 where that is shared. Nothing else reaches it.
func TestLab(t *testing.T) {
	for name, o := range map[string]Options{"veth": {Loopback: true}, "wire": {Wire: true, Loopback: true}} {
		t.Run(name, func(t *testing.T) {
			l := New(t, o)
			for _, address := range []netip.Addr{ServerIP4, ServerIP6, netip.MustParseAddr("127.0.0.1")} {
				client, server := connect(t, l, address)
				if got := netip.MustParseAddrPort(server.RemoteAddr().String()).Addr(); got != ClientIP4 && got != ClientIP6 {
					t.Errorf("%s: the server sees %s", address, got)
				}
				exchange(t, client, server)
				if other, err := l.Client.Dial(netip.AddrPortFrom(ClientIP4, portOf(server)).String(), short); err == nil {
					_ = other.Close()
					t.Errorf("%s: the client's namespace has the server's port", address)
				}
			}
		})
	}
}

// A command runs in the namespace with all that it starts.
func TestCommand(t *testing.T) {
	l := New(t, Options{})
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c 'cat /proc/net/dev; cat /proc/net/fib_trie'")
	cmd.Stdout = &out
	if err := l.Server.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, linkName+":") || !strings.Contains(got, ServerIP4.String()) {
		t.Errorf("the command's namespace has not the link and its address:\n%s", got)
	}
}

// Nothing is left of a lab: no descriptor, and so no namespace.
func TestClose(t *testing.T) {
	New(t, Options{}) // it skips the test; and the runtime keeps the descriptors that it opens first
	before := descriptors(t)
	for _, o := range []Options{{}, {Wire: true}, {NAT: true}} {
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("descriptors before %q, after %q", before, after)
	}
}

func descriptors(t *testing.T) (out []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			out = append(out, target)
		}
	}
	return out
}

// Without the right a test is skipped, and the right is named.
func TestSkippedWithoutRight(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs uid 0, to run as another user")
	}
	binary, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	// By its descriptor the binary is found whatever the rights of its folder.
	cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3", "-test.run=^TestCommand$", "-test.v")
	cmd.Dir, cmd.ExtraFiles = "/", []*os.File{binary}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("needs CAP_SYS_ADMIN: make a network namespace: operation not permitted")) ||
		!bytes.Contains(out, []byte("--- SKIP: TestCommand")) {
		t.Errorf("error %v, output:\n%s", err, out)
	}
}
