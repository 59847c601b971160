package finwait_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/internal/quiet"
	"github.com/finwait/finwait/reference"
)

func TestMain(m *testing.M) { new(quiet.Machine).Tests(m).Run() }

// suite is a run of this suite against a server by its URL.
func suite(t *testing.T, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=^TestSuite$", "-ginkgo.no-color"}, args...)...)
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return c
}

// serve runs the reference server and gives its address.
func serve(t *testing.T, o reference.Options, listener func(net.Listener) net.Listener) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- reference.Serve(ctx, listener(l), o) }()
	t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

func plain(l net.Listener) net.Listener { return l }

// TestSuiteByURL: the suite reaches a server over TLS, by its certificate or
// without verification, and one that wants a header.
func TestSuiteByURL(t *testing.T) {
	login := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer x" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(login.Close)
	certificate := login.TLS.Certificates
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate[0].Certificate[0]}),
		0o600); err != nil {
		t.Fatal(err)
	}
	secure := "-target=wss://" + serve(t, reference.Options{}, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: certificate})
	}) + "/"
	twice := "-target=ws://" + serve(t, reference.Options{Fault: "two-closes"}, plain) + "/"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"with its certificate": {[]string{secure, "-ca=" + ca, "-close-timeout=2s", "-response=500ms", "-patience=5s"},
			"2 Passed | 0 Failed"},
		"unverified":  {[]string{secure, "-insecure"}, "2 Passed | 0 Failed"},
		"not trusted": {[]string{secure}, "failed to verify certificate"},
		"with a header": {[]string{strings.Replace(login.URL, "https", "-target=wss", 1), "-insecure",
			"-header=Authorization: Bearer x"}, "HTTP 418"},
		"no certificate":     {[]string{secure, "-insecure", "-cert=missing.pem"}, "--cert: open missing.pem"},
		"no limit":           {[]string{secure, "-response=0"}, "less than 100ms"},
		"a SHOULD, strict":   {[]string{twice, "-strict"}, "SHOULD as fail, R7"},
		"a rule that is off": {[]string{twice, "-strict", "-rule=R7=off"}, "2 Passed | 0 Failed"},
		"no rule":            {[]string{twice, "-rule=r7=off"}, "did you mean R7?"},
		"contradiction":      {[]string{secure, "-close-timeout=30s", "-patience=5s"}, "does not reach past the close timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, _ := suite(t, append(c.args, "-ginkgo.label-filter=sanity")...).CombinedOutput(); !bytes.Contains(out, []byte(c.want)) {
				t.Errorf("no %q in\n%s", c.want, out)
			}
		})
	}
}

// TestSuiteInterrupted: an interrupted suite ends at once and has reported what
// was measured, though a scenario would hang for long.
func TestSuiteInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("one cannot interrupt a process there")
	}
	junit := filepath.Join(t.TempDir(), "junit.xml")
	c := suite(t, "-target=ws://"+serve(t, reference.Options{CloseTimeout: 30 * time.Second}, plain)+"/", "-ginkgo.v",
		"-ginkgo.focus=linger/no-fin$", "-junit="+junit)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var interrupted time.Time
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if interrupted.IsZero() && strings.Contains(lines.Text(), "closing linger/no-fin") { // its spec has begun
			interrupted = time.Now()
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil {
		t.Error("an interrupted suite passes")
	}
	if took := time.Since(interrupted); interrupted.IsZero() || took > 5*time.Second {
		t.Errorf("it ended %s after the interrupt", took)
	}
	if text, err := os.ReadFile(junit); err != nil || !bytes.Contains(text, []byte(`name="linger/no-fin"`)) {
		t.Errorf("JUnit report: %v\n%s", err, text)
	}
}
