package finwaittest_test

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/finwait/finwait/finwaittest"
)

// app keeps its connections, and the close events of each, by token.
type app struct {
	mu     sync.Mutex
	tokens map[net.Conn]string
	events map[string][]finwaittest.Event
}

// ServeHTTP reads from the connection until it ends.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	token := r.URL.Query().Get("finwait")
	a.mu.Lock()
	a.tokens[conn] = token
	a.mu.Unlock()
	for err == nil {
		_, _, err = wsutil.ReadClientData(conn)
	}
	now := time.Now()
	event := finwaittest.Event{At: &now, Error: err.Error()}
	if closed := new(wsutil.ClosedError); errors.As(err, closed) {
		event.Code, event.Reason = new(int(closed.Code)), &closed.Reason
	}
	a.mu.Lock()
	delete(a.tokens, conn)
	a.events[token] = append(a.events[token], event)
	a.mu.Unlock()
}

// close sends a Close frame on each chosen connection.
func (a *app) close(chosen func(token string) bool, code int, reason string) error {
	var body []byte
	if code != 0 {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	return a.each(chosen, func(conn net.Conn) error { return ws.WriteFrame(conn, ws.NewCloseFrame(body)) })
}

// each calls do for each chosen connection.
func (a *app) each(chosen func(token string) bool, do func(net.Conn) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for conn, token := range a.tokens {
		if chosen(token) {
			errs = append(errs, do(conn))
		}
	}
	if errs == nil {
		return finwaittest.ErrNoConnection
	}
	return errors.Join(errs...)
}

// server describes the application to finwait.
func (a *app) server() finwaittest.Server {
	is := func(token string) func(string) bool { return func(other string) bool { return other == token } }
	return finwaittest.Server{
		Handler: a,
		Close: func(token string, code int, reason string) error {
			return a.close(is(token), code, reason)
		},
		Terminate: func(token string) error { return a.each(is(token), net.Conn.Close) },
		KickAll: func(code int) error {
			_ = a.close(func(string) bool { return true }, code, "") // a connection that is ending gives an error
			return nil
		},
		Events: func(token string) []finwaittest.Event {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.events[token]
		},
		EventLostCode: finwaittest.Convention{Declared: true}, // without a Close frame the library has no code
	}
}

// A server in this process need not speak the control contract: functions close its
// connections, and return its close events.
func ExampleRun_hooks() {
	var t *testing.T // of func TestApplicationCloses(t *testing.T)

	a := &app{tokens: map[net.Conn]string{}, events: map[string][]finwaittest.Event{}}
	finwaittest.Run(t, a.server())
}
