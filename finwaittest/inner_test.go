package finwaittest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/finwaittest"
	"github.com/finwait/finwait/reference"
)

// inner is the environment variable that TestOutput sets when it starts this test binary.
const inner = "FINWAITTEST_INNER"

// TestInner contains the tests whose output TestOutput checks.
func TestInner(t *testing.T) {
	if os.Getenv(inner) == "" {
		t.Skip("TestOutput runs it")
	}
	run := func(name string, server func(t *testing.T) finwaittest.Server) {
		t.Run(name, func(t *testing.T) {
			if name != "hooks-block" {
				before := goleak.IgnoreCurrent()
				t.Cleanup(func() { goleak.VerifyNone(t, before) })
			}
			s := server(t)
			if s.CloseTimeout == 0 {
				s.CloseTimeout, s.StopTimeout, s.Patience = 300*time.Millisecond, 300*time.Millisecond, 1500*time.Millisecond
			}
			finwaittest.Run(t, s) // the line of every failure
		})
	}
	url := func(fault string, only ...string) func(t *testing.T) finwaittest.Server {
		return func(t *testing.T) finwaittest.Server {
			return finwaittest.Server{URL: serveReference(t, fault), Only: only, PingInterval: time.Second}
		}
	}
	application := func(change func(*finwaittest.Server), only ...string) func(t *testing.T) finwaittest.Server {
		return func(t *testing.T) finwaittest.Server {
			a := &app{tokens: map[net.Conn]string{}, events: map[string][]finwaittest.Event{}}
			s := a.server()
			s.Only = only
			change(&s)
			return s
		}
	}
	configured := func(fault, settings string, only ...string) func(t *testing.T) finwaittest.Server {
		return func(t *testing.T) finwaittest.Server {
			s := url(fault, only...)(t)
			s.Config = filepath.Join(t.TempDir(), "finwait.yaml")
			if err := os.WriteFile(s.Config, []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	run("right", url("", "sanity", "linger"))
	run("all", url(""))
	run("wrong", url("answer-1005", "peer-close/empty", "peer-close/reason"))
	run("warned", url("two-closes", "sanity/close"))
	run("late", url("event-twice", "sanity/close", "server-close/slow-answer-1s"))
	run("handler", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{Handler: http.HandlerFunc(echo), Only: []string{"sanity", "tls/no-close-notify"}}
	})
	run("repeated", func(t *testing.T) finwaittest.Server {
		s := url("answer-1005", "peer-close/empty")(t)
		s.Repeat = 3
		return s
	})
	run("exec", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{Exec: "exit 3", Only: []string{"sanity"}}
	})
	run("start", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{Start: serve, Only: []string{"shutdown/polite", "shutdown/stopped-reading", "sanity"}, Crowd: 5,
			CloseTimeout: closeTimeout, StopTimeout: closeTimeout, Patience: 6 * time.Second}
	})
	run("start-fails", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{Start: func(context.Context, string) error { return errors.New("no database") }, Only: []string{"sanity"}}
	})
	run("stop-fails", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{Only: []string{"shutdown/polite"}, Strict: true, Start: func(ctx context.Context, address string) error {
			return errors.Join(serve(ctx, address), errors.New("not everything was saved"))
		}}
	})
	run("hooks", application(func(*finwaittest.Server) {}, "server-close/polite", "terminate/polite", "kick/all", "peer-close/code-4000"))
	run("hooks-slow", application(func(s *finwaittest.Server) {
		var called sync.Map
		closes := s.Close
		s.Close = func(token string, code int, reason string) error {
			if _, again := called.LoadOrStore(token, true); !again {
				return finwaittest.ErrNoConnection
			}
			return closes(token, code, reason)
		}
	}, "server-close/polite"))
	run("hooks-wrong", application(func(s *finwaittest.Server) {
		s.Close = func(string, int, string) error { return nil }
		s.KickAll = func(int) error { return errors.ErrUnsupported }
		s.Terminate = nil
	}, "server-close/polite", "terminate/polite", "kick/all"))
	run("hooks-block", application(func(s *finwaittest.Server) {
		s.Terminate = func(string) error { select {} }
		s.Events = func(string) []finwaittest.Event { select {} }
	}, "terminate/polite", "peer-close/code-4000"))
	run("known", configured("answer-1005", "close-timeout: 400ms\nrules: {R7: off}\n"+
		"known-failures: [{id: peer-close/empty, rule: [R4, R15], reason: it is old}]\n", "peer-close/empty"))
	run("not-known", configured("",
		"known-failures: [{id: peer-close/empty, rule: R4, reason: it was old}]\n", "peer-close/empty"))
	run("no-limit", configured("", "patience: soon\n", "sanity"))
	run("unreachable", func(*testing.T) finwaittest.Server {
		return finwaittest.Server{URL: "ws://127.0.0.1:1/", Only: []string{"sanity"}}
	})
	t.Run("fields", func(t *testing.T) {
		const url = "ws://127.0.0.1:1/"
		handler := http.NotFoundHandler()
		for name, s := range map[string]finwaittest.Server{
			"none":      {},
			"two":       {URL: url, Handler: handler},
			"url":       {URL: "http://127.0.0.1:1/"},
			"path":      {URL: url, Path: "/socket"},
			"slash":     {Handler: handler, Path: "socket"},
			"port":      {Exec: "server", URL: url},
			"hooks":     {Exec: "server", KickAll: func(int) error { return nil }},
			"signal":    {URL: url, StopSignal: os.Interrupt},
			"stop":      {Handler: handler, StopExec: "stop"},
			"stop-port": {URL: url, StopExec: "stop {port}"},
			"rules":     {URL: url, Rules: map[string]string{"R99": "off"}},
			"only":      {URL: url, Only: []string{"sanity/clothes"}},
			"limits":    {URL: url, Patience: 2 * time.Second},
			"at-once":   {URL: url, AtOnce: -1},
			"config":    {URL: url, Config: "nowhere.yaml"},
		} {
			t.Run(name, func(t *testing.T) { finwaittest.Run(t, s) })
		}
	})
	t.Run("twice", func(t *testing.T) {
		s := url("", "sanity/close")(t)
		finwaittest.Run(t, s)
		finwaittest.Run(t, s)
	})
}

// serveReference starts finwait's reference server, and returns its URL.
func serveReference(t *testing.T, fault string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reference.Serve(ctx, l, reference.Options{Fault: fault, CloseTimeout: 300 * time.Millisecond})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return "ws://" + l.Addr().String() + "/"
}
