package harness_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/finwait/finwait/servers"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// contractServer obeys the control contract as far as a test does not say
// otherwise: lie takes a command first.
type contractServer struct {
	hello string
	lie   func(s *contractServer, c net.Conn, name, args string) (done bool)
	greet func(s *contractServer, c net.Conn)                          // after the handshake; nil: it says nothing
	reads func(s *contractServer, c net.Conn, text []byte) (done bool) // takes a message that is no command; nil: it is echoed
	fails func(s *contractServer)                                      // where a read fails, with s.mu held; nil: nothing more
	twice bool                                                         // each close is told twice
	lost  int                                                          // the code that is told where a read fails; 0: 1006

	mu     sync.Mutex
	opened *sync.Cond          // a connection came
	conns  map[string]net.Conn // by token
	events map[string][]map[string]any
	asked  int // for events
}

// serveContract runs the server until the test ends.
func serveContract(t *testing.T, s *contractServer) *servers.Target {
	t.Helper()
	s.opened = sync.NewCond(&s.mu)
	s.conns, s.events = map[string]net.Conn{}, map[string][]map[string]any{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, _, err := ws.UpgradeHTTP(r, w)
			if err == nil {
				running.Go(func() { s.talk(c, r.URL.Query()) })
			}
		}))
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		running.Wait()
	})
	return &servers.Target{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}, Profile: profile}
}

func (s *contractServer) talk(c net.Conn, query url.Values) {
	token := query.Get("finwait")
	s.mu.Lock()
	s.conns[c.RemoteAddr().String()], s.conns[token] = c, c
	s.mu.Unlock()
	s.opened.Broadcast()
	defer c.Close()
	if s.greet != nil {
		s.greet(s, c)
	}
	if open := query.Get("finwait-open"); open != "" {
		_ = wsutil.WriteServerText(c, []byte("finwait:opened"))
		s.obey(c, open)
	}
	for {
		data, op, err := wsutil.ReadClientData(c)
		if err != nil {
			s.told(token, err)
			return
		}
		if command, ok := strings.CutPrefix(string(data), "finwait:"); ok {
			s.obey(c, command)
		} else if s.reads != nil && s.reads(s, c, data) {
			continue
		} else if wsutil.WriteServerMessage(c, op, data) != nil {
			return
		}
	}
}

func (s *contractServer) told(token string, err error) {
	event := map[string]any{"code": cmp.Or(s.lost, 1006)}
	if closed := (wsutil.ClosedError{}); errors.As(err, &closed) {
		event = map[string]any{"code": int(closed.Code), "reason": closed.Reason}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil && event["reason"] == nil {
		s.fails(s)
	}
	s.events[token] = append(s.events[token], event)
	if s.twice {
		s.events[token] = append(s.events[token], event)
	}
}

func (s *contractServer) obey(c net.Conn, line string) {
	name, args, _ := strings.Cut(line, " ")
	if s.lie != nil && s.lie(s, c, name, args) {
		return
	}
	switch name {
	case "hello":
		_ = wsutil.WriteServerText(c, []byte(s.hello))
	case "close":
		closeWith(c, args)
	case "terminate":
		_ = c.Close()
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() { _ = wsutil.WriteServerBinary(c, make([]byte, n)) }()
	case "kick-all":
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			closeWith(c, args)
		}
	case "events":
		s.mu.Lock()
		defer s.mu.Unlock()
		list, _ := json.Marshal(append([]map[string]any{}, s.events[args]...))
		_ = wsutil.WriteServerText(c, list)
	}
}

func closeWith(c net.Conn, args string) {
	text, reason, _ := strings.Cut(args, " ")
	if code, err := strconv.ParseUint(text, 10, 16); err == nil {
		_ = ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason)))
	} else {
		_ = ws.WriteFrame(c, ws.NewCloseFrame(nil))
	}
}

const everything = "finwait:v1 close terminate fill kick-all events"

// silent ignores one command.
func silent(command string) func(*contractServer, net.Conn, string, string) bool {
	return func(_ *contractServer, _ net.Conn, name, _ string) bool { return name == command }
}

// answers answers finwait:events with this text, from the nth time on.
func answers(n int, text string) func(*contractServer, net.Conn, string, string) bool {
	return func(s *contractServer, c net.Conn, name, _ string) bool {
		if name != "events" {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asked++; s.asked < n {
			return false
		}
		_ = wsutil.WriteServerText(c, []byte(text))
		return true
	}
}

// answersKnown answers finwait:events with this text for a token that has ended.
func answersKnown(text string) func(*contractServer, net.Conn, string, string) bool {
	return func(s *contractServer, c net.Conn, name, args string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if name != "events" || len(s.events[args]) == 0 {
			return false
		}
		_ = wsutil.WriteServerText(c, []byte(text))
		return true
	}
}
