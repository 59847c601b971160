package reference

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// The control contract, v1: text messages that begin with "finwait:" are
// commands to the application, and connections opened with ?finwait=TOKEN have
// their close events reported.

// CloseEvent is what the application is told at the end of a connection.
type CloseEvent struct {
	Code   int       `json:"code"` // of the first Close received; 1005: it had none; 1006: there was none
	Reason string    `json:"reason"`
	Clean  bool      `json:"clean"` // TCP was closed after a completed closing handshake
	At     time.Time `json:"at"`
}

var errTerminated = errors.New("the application killed the connection")

// maxTokens bounds the events that are kept, maxFill the bytes of one fill.
const (
	maxTokens = 10_000
	maxFill   = 64 << 20
)

// told keeps the close events by token.
type told struct {
	mu     sync.Mutex
	events map[string][]CloseEvent
	tokens []string // in the order of their first event
}

func (t *told) add(token string, e CloseEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.events == nil {
		t.events = map[string][]CloseEvent{}
	}
	if _, known := t.events[token]; !known {
		t.tokens = append(t.tokens, token)
	}
	t.events[token] = append(t.events[token], e)
	if len(t.tokens) > maxTokens {
		delete(t.events, t.tokens[0])
		t.tokens = t.tokens[1:]
	}
}

func (t *told) list(token string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, err := json.Marshal(append([]CloseEvent{}, t.events[token]...))
	if err != nil {
		return []byte("[]") // a time that JSON cannot write; there is none
	}
	return list
}

// query takes the contract's parameters from the request.
func (c *conn) query(head []byte) url.Values {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil
	}
	return r.URL.Query()
}

// welcome obeys the command that a connection was opened with.
func (c *conn) welcome(command string) error {
	if err := c.send(ws.NewTextFrame([]byte("finwait:opened"))); err != nil {
		return err
	}
	return c.obey(command)
}

// obey carries out a command; one that is not known, or malformed, is answered
// with what is wrong.
func (c *conn) obey(line string) error {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "hello":
		return c.say("finwait:v1 close terminate fill kick-all events")
	case "close", "kick-all":
		code, reason, err := closeArguments(rest)
		if err != nil {
			return c.say("finwait:error " + err.Error())
		}
		if command == "kick-all" {
			c.onKick(c, code, reason)
		}
		return c.onAsk(c, code, reason)
	case "terminate":
		return c.onTerminate(c)
	case "fill":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > maxFill {
			return c.say("finwait:error fill takes a number of bytes, 67108864 at most")
		}
		return c.onFill(c, n)
	case "events":
		return c.say(string(c.told.list(rest)))
	}
	return c.say("finwait:error no such command")
}

func (c *conn) say(text string) error { return c.send(ws.NewTextFrame([]byte(text))) }

// closeArguments reads [code [reason]]; 0 is no code.
func closeArguments(s string) (ws.StatusCode, string, error) {
	if s == "" {
		return 0, "", nil
	}
	text, reason, _ := strings.Cut(s, " ")
	code, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, "", errors.New("a close code is a number from 0 to 65535")
	}
	return ws.StatusCode(code), reason, nil
}

// ask starts the closing handshake for the application. A code that may not be
// sent becomes 1011 (7.4.1). What the peer sends meanwhile is read on, and
// nothing of it moves the limit.
func (c *conn) ask(code ws.StatusCode, reason string) error {
	if code != 0 && !sendable(code) {
		code, reason = ws.StatusInternalServerError, ""
	}
	return c.sendClose(code, reason)
}

func (c *conn) sendClose(code ws.StatusCode, reason string) error {
	c.begin()
	if code == 0 {
		return c.send(ws.NewCloseFrame(nil))
	}
	return c.send(closeFrame(code, reason))
}

// terminate kills the connection: no Close, one RST.
func (c *conn) terminate() error {
	c.abort()
	return errTerminated
}

// fill sends n bytes in messages, while the connection reads on. A message
// that the peer does not take within CloseTimeout makes the connection stuck:
// nothing can be written behind a frame that is cut.
func (c *conn) fill(n int) error {
	c.filling.Go(func() {
		for ; n > 0 && !c.stuck.Load() && !c.ending.Load(); n -= 64 << 10 {
			c.fillOne(min(n, 64<<10), c.CloseTimeout)
		}
	})
	return nil
}

func (c *conn) fillOne(n int, limit time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed || c.ending.Load() {
		return
	}
	end := time.Now().Add(limit)
	cut := time.AfterFunc(limit, func() { _ = c.net.SetWriteDeadline(time.Unix(1, 0)) })
	defer cut.Stop()
	var b bytes.Buffer
	_ = ws.WriteFrame(&b, ws.NewBinaryFrame(make([]byte, n))) // a buffer takes everything
	for b.Len() > 0 {
		n, err := c.net.Write(b.Bytes())
		b.Next(n)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end):
			_ = c.net.SetWriteDeadline(end) // it was one of Read's
		default:
			c.stuck.Store(true)
			return
		}
	}
}

// kick is the Close that kick-all has for a connection.
type kick struct {
	code   ws.StatusCode
	reason string
}

// kickOthers has every other open connection close itself.
func (c *conn) kickOthers(code ws.StatusCode, reason string) {
	c.conns.Range(func(other, _ any) bool {
		if o := other.(*conn); o != c {
			o.kicked.Store(&kick{code, reason})
			o.wake()
		}
		return true
	})
}

// closeEvent is what the application is told when the descriptor is released.
func (c *conn) closeEvent() CloseEvent {
	e := CloseEvent{Code: int(ws.StatusAbnormalClosure), At: time.Now().UTC()}
	if c.received != nil {
		code, reason := parseClose(*c.received)
		e.Code, e.Reason, e.Clean = int(code), reason, c.closed && !c.aborted
	}
	return e
}
