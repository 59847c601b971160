package harness_test

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// busyListener answers some connections with a response of its own.
type busyListener struct {
	net.Listener
	n        atomic.Int64
	answers  func(n int64) bool // whether the n-th connection, from 1 on, is answered
	response string
}

func (l *busyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.answers(l.n.Add(1)) {
			return c, err
		}
		go func() {
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, _ = c.Read(make([]byte, 4<<10))
			_, _ = c.Write([]byte(l.response))
			_ = c.Close()
		}()
	}
}

// TestBusyServer: a server that takes only so many connections in a time is no server that closes
// badly.
func TestBusyServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, response string
		answers        func(n int64) bool
		verdict        harness.Verdict
		note           bool
	}{
		{"three of ten", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
			func(n int64) bool { return n > 2 && n%10 < 3 }, harness.Pass, true},
		{"all but the first", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
			func(n int64) bool { return n > 1 }, harness.Skip, true},
		{"none", "", func(int64) bool { return false }, harness.Pass, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error)
			go func() {
				served <- reference.Serve(t.Context(), &busyListener{Listener: l, answers: c.answers, response: c.response}, reference.Options{})
			}()
			t.Cleanup(func() { <-served })
			list, err := scenarios.Selection{Only: []string{"sanity/close", "peer-close/code-1000"}}.Apply(scenarios.All())
			if err != nil {
				t.Fatal(err)
			}
			u := &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}
			batch, err := harness.Start(t.Context(), &servers.Target{URL: u, Profile: profile}, list, harness.Options{})
			if err != nil {
				t.Fatal(err)
			}
			run := batch.Wait()
			for _, r := range run.Results {
				if r.Verdict != c.verdict || (r.Verdict == harness.Skip) != slices.Contains(r.Missing, evidence.Admission) {
					t.Errorf("%s: %s %v %s", r.Scenario.ID, r.Verdict, r.Missing, r.Err)
				}
			}
			if noted := strings.Contains(strings.Join(run.Notes, "\n"), "HTTP 429 or 503"); noted != c.note {
				t.Errorf("notes %q", run.Notes)
			}
		})
	}
}
