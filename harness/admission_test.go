package harness_test

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/lab"
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
		go refuse(c, l.response)
	}
}

// refuse answers a request with the response, if there is one, and closes the connection.
func refuse(c net.Conn, response string) {
	defer c.Close()
	if response != "" {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = c.Read(make([]byte, 4<<10))
		_, _ = c.Write([]byte(response))
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
			l := serveReference(t, reference.Options{}, func(l net.Listener) net.Listener {
				return &busyListener{Listener: l, answers: c.answers, response: c.response}
			})
			list, err := scenarios.Selection{Only: []string{"sanity/close", "peer-close/code-1000"}}.Apply(scenarios.All())
			if err != nil {
				t.Fatal(err)
			}
			run := playAt(t, l, list, harness.Options{})
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

// serveReference runs the reference server on what a listener accepts, until the test ends.
func serveReference(t *testing.T, o reference.Options, wrap func(net.Listener) net.Listener) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- reference.Serve(t.Context(), wrap(l), o) }()
	t.Cleanup(func() { <-served })
	return l
}

func playAt(t *testing.T, l net.Listener, list []*harness.Scenario, o harness.Options) *harness.Run {
	t.Helper()
	u := &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}
	batch, err := harness.Start(t.Context(), &servers.Target{URL: u, Profile: profile}, list, o)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Wait()
}

// fullListener takes so many connections at the same time. Others it closes, or answers.
type fullListener struct {
	net.Listener
	most     int64
	response string // empty: none
	open     atomic.Int64
}

type countedConn struct {
	*net.TCPConn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.TCPConn.Close()
}

func (l *fullListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		switch {
		case err != nil:
			return nil, err
		case l.open.Load() < l.most:
			l.open.Add(1)
			return &countedConn{c.(*net.TCPConn), sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		go refuse(c, l.response)
	}
}

// TestFullServer: where a server, here a proxy, has no room for the witnesses, they give way. The peers that are
// judged get their connections, and no server is said to be dead that is full.
func TestFullServer(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]string{
		"closes":      "",
		"answers 503": "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveReference(t, reference.Options{}, func(l net.Listener) net.Listener { return l })
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			relay := lab.StartRelay(&fullListener{Listener: l, most: 10, response: response}, func() (net.Conn, error) {
				return net.Dial("tcp", server.Addr().String())
			})
			defer relay.Close()
			list, err := scenarios.Selection{Only: []string{"linger/*", "peer-close/code-10*"}}.Apply(scenarios.All())
			if err != nil {
				t.Fatal(err)
			}
			run := playAt(t, l, list, harness.Options{Witness: harness.WitnessProbes})
			if run.Stopped != "" || !strings.Contains(strings.Join(run.Notes, "\n"), "gave way") {
				t.Errorf("stopped %q, notes %q", run.Stopped, run.Notes)
			}
			for _, r := range run.Results {
				if r.Record != nil && !r.Record.Triggered {
					t.Errorf("%s: %s %v %s", r.Scenario.ID, r.Verdict, r.Missing, r.Err)
				}
			}
			t.Log(run.Took, run.Count())
		})
	}
}

// TestRetryMuchLater: nobody waits for a server that asks to come again in an hour.
func TestRetryMuchLater(t *testing.T) {
	t.Parallel()
	l := serveReference(t, reference.Options{}, func(l net.Listener) net.Listener {
		return &busyListener{Listener: l, answers: func(n int64) bool { return n > 1 },
			response: "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"}
	})
	list, err := scenarios.Selection{Only: []string{"sanity/close"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	run := playAt(t, l, list, harness.Options{})
	if r := run.Results[0]; r.Verdict != harness.Skip || !slices.Contains(r.Missing, evidence.Admission) || run.Took > 2*time.Second {
		t.Errorf("%s %v %s, took %s", r.Verdict, r.Missing, r.Err, run.Took)
	}
}
