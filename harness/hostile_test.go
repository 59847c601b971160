package harness_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var profile = harness.Profile{CloseTimeout: 500 * time.Millisecond, Response: 300 * time.Millisecond, Patience: 1800 * time.Millisecond}

// hostile is a server that upgrades a connection and then does this with it.
// The first connection, the preflight's, is left in peace where peace is set.
type hostile struct {
	name  string
	peace bool
	raw   bool // no upgrade
	act   func(net.Conn)
}

const escapes = "\x1b[2J\x1b]0;x\x07 ]]> </failure> \x00 \u202e \xff"

func hostiles() []hostile {
	reset := func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }
	forever := func(c net.Conn, b []byte) {
		for range 2000 { // some megabytes: endless enough, and the machine has others to serve
			if _, err := c.Write(b); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}
	text := ws.MustCompileFrame(ws.NewTextFrame([]byte(strings.Repeat("endless", 1000))))
	return []hostile{
		{"endless data", false, false, func(c net.Conn) { forever(c, text) }},
		{"endless pings", false, false, func(c net.Conn) { forever(c, ws.MustCompileFrame(ws.NewPingFrame([]byte("?")))) }},
		{"endless closes", false, false, func(c net.Conn) {
			forever(c, ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, escapes))))
		}},
		{"endless head", true, true, func(c net.Conn) { forever(c, []byte("HTTP/1.1 101 x\r\nX: "+strings.Repeat("y", 4096)+"\r\n")) }},
		{"megabyte header", true, true, func(c net.Conn) {
			_, _ = c.Write([]byte("HTTP/1.1 101 x\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n"))
		}},
		{"no handshake", true, true, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{"not HTTP", true, true, func(c net.Conn) { _, _ = c.Write([]byte(escapes + "\r\n\r\n")) }},
		{"reset on accept", true, true, reset},
		{"reset after 101", false, false, reset},
		{"frame of 2^63 bytes", false, false, func(c net.Conn) {
			_, _ = c.Write([]byte{0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 'x'})
			_, _ = io.Copy(io.Discard, c)
		}},
		{"half a Close", false, false, func(c net.Conn) { _, _ = c.Write([]byte{0x88, 20, 3}); reset(c) }},
		{"hostile reason", false, false, func(c net.Conn) {
			_, _ = c.Write(ws.MustCompileFrame(ws.NewCloseFrame(append([]byte{3, 232}, escapes...))))
		}},
		{"never reads", false, false, func(c net.Conn) {
			<-time.After(3 * time.Second) // longer than the patience
		}},
	}
}

// serve runs the hostile server until the test ends.
func (h hostile) serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(8 * time.Second))
				if n == 0 && h.peace || !h.raw {
					if _, err := ws.Upgrade(c); err != nil {
						return
					}
				}
				if n == 0 && h.peace {
					_, _ = io.Copy(io.Discard, c)
					return
				}
				h.act(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String()
}

func start(ctx context.Context, address string, list []*harness.Scenario) (*harness.Batch, error) {
	return harness.Start(ctx, &harness.Target{URL: &url.URL{Scheme: "ws", Host: address, Path: "/"}, Profile: profile}, list, harness.Options{})
}

// Whatever a server does, the run ends on time with a result for everything,
// and its reports are whole.
func TestHostileServers(t *testing.T) {
	list, err := scenarios.Selection{Only: []string{"sanity", "peer-close/code-1000", "peer-close/then-flood", "bad-close/one-byte", "violation/rsv1", "linger/no-fin", "abnormal/half-close", "abnormal/rst-while-server-writes", "abnormal/vanish-idle", "handshake/half-request-fin"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			address := h.serve(t)
			began := time.Now()
			batch, err := start(t.Context(), address, list)
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\x1b\x00") || time.Since(began) > 11*time.Second {
					t.Errorf("after %s: %q", time.Since(began), err)
				}
				return
			}
			run := batch.Wait()
			// The setup of a scenario takes ten seconds at most, then comes the patience.
			if took := time.Since(began); took > 10*time.Second+profile.Patience+3*time.Second {
				t.Errorf("took %s", took)
			}
			for i, r := range run.Results {
				if r == nil || r.Scenario != list[i] || r.Verdict == "" {
					t.Fatalf("no result for %s", list[i].ID)
				}
			}
			for _, write := range []func() error{
				func() error { return reports.JSON(io.Discard, run) },
				func() error { return reports.JUnit(io.Discard, run, false) },
			} {
				if err := write(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A target that dies half-way ends the run, and everything has a result.
func TestATargetThatDies(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, die := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- reference.Serve(ctx, l, reference.Options{PingInterval: -1}) }()
	batch, err := start(t.Context(), l.Addr().String(), scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	<-batch.Results()
	die()
	run := batch.Wait()
	<-served
	if !strings.HasPrefix(run.Stopped, "the target is gone: ") {
		t.Errorf("stopped %q", run.Stopped)
	}
	for _, r := range run.Results {
		if r == nil || r.Verdict == harness.Fail && slices.ContainsFunc(r.Findings, func(f harness.Finding) bool { return f.Rule.ID == harness.Alive.ID && f.Outcome == harness.Breached }) {
			t.Errorf("%v is blamed for the death", r)
		}
	}
}

func TestCancel(t *testing.T) {
	h := hostiles()[len(hostiles())-1]
	ctx, cancel := context.WithCancelCause(t.Context())
	batch, err := start(ctx, h.serve(t), scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cancel(errors.New("interrupted by a test"))
	run := batch.Wait()
	if took := time.Since(began); took > time.Second || run.Stopped != "interrupted by a test" {
		t.Errorf("took %s, stopped %q", took, run.Stopped)
	}
}

// What is wrong with a target is said in one line, before any scenario.
func TestPreflight(t *testing.T) {
	notFound := &http.Server{Handler: http.NotFoundHandler()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = notFound.Serve(l) }()
	t.Cleanup(func() { _ = notFound.Close() })
	for _, c := range []struct{ url, want string }{
		{"ws://127.0.0.1:1/", "connection refused"},
		{"ws://no-such-host.invalid/", "no such host"},
		{"ws://" + l.Addr().String() + "/x", "HTTP 404 instead of 101"},
		{"wss://" + l.Addr().String() + "/", "TLS handshake"},
	} {
		u, _ := url.Parse(c.url)
		_, err := harness.Start(t.Context(), &harness.Target{URL: u, Profile: profile}, scenarios.Sanity(), harness.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}

// A server that does not echo is tested for what needs no echo.
func TestNoEcho(t *testing.T) {
	h := hostile{name: "mute", act: func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			f, err := ws.ReadHeader(r)
			if err != nil {
				return
			}
			body := make([]byte, f.Length)
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			if f.OpCode == ws.OpClose {
				ws.Cipher(body, f.Mask, 0)
				_, _ = c.Write(ws.MustCompileFrame(ws.NewCloseFrame(body)))
				return
			}
		}
	}}
	list, _ := scenarios.Selection{Only: []string{"sanity", "peer-close"}}.Apply(scenarios.All())
	batch, err := start(t.Context(), h.serve(t), list)
	if err != nil {
		t.Fatal(err)
	}
	run := batch.Wait()
	if len(run.Notes) == 0 || !strings.Contains(run.Notes[0], "did not echo") {
		t.Errorf("notes: %q", run.Notes)
	}
	for _, r := range run.Results {
		want := harness.Pass
		if slices.Contains(r.Scenario.Needs, harness.Echo) {
			want = harness.Skip
		}
		if r.Scenario.ID != "peer-close/then-flood" && r.Scenario.ID != "peer-close/with-handshake" && r.Verdict != want {
			t.Errorf("%s: %s, want %s\n%s", r.Scenario.ID, r.Verdict, want, reports.Explain(r))
		}
	}
}

func TestProfile(t *testing.T) {
	for _, c := range []struct {
		p    harness.Profile
		want string
	}{
		{harness.Profile{}, ""},
		{harness.Profile{CloseTimeout: time.Minute}, ""},
		{harness.Profile{CloseTimeout: -1}, "negative"},
		{harness.Profile{Patience: 5 * time.Second}, "raise --patience"},
		{harness.Profile{CloseTimeout: time.Second, Response: time.Minute}, "raise --patience"},
	} {
		p, err := c.p.WithDefaults()
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) && c.want != "" {
			t.Errorf("%+v: %v", c.p, err)
		}
		if err == nil && p.Patience <= p.CloseLimit() {
			t.Errorf("patience %s does not reach past %s", p.Patience, p.CloseLimit())
		}
	}
}

func TestSelectionOfNothing(t *testing.T) {
	u := &url.URL{Scheme: "ws", Host: "127.0.0.1:1"}
	s := scenarios.Sanity()[0]
	for _, list := range [][]*harness.Scenario{nil, {s, s}} {
		if _, err := harness.Start(t.Context(), &harness.Target{URL: u}, list, harness.Options{}); err == nil || strings.Contains(err.Error(), "refused") {
			t.Errorf("%d scenarios: %v", len(list), err)
		}
	}
}
