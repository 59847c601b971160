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

// This file implements the control contract, v1. Text messages that begin with
// "finwait:" are commands to the application. The application reports the close
// events of connections that were opened with ?finwait=TOKEN.

// CloseEvent is what the application receives at the end of a connection.
type CloseEvent struct {
	Code   int       `json:"code"` // of the first Close frame received; 1005: it had no code; 1006: no Close frame came
	Reason string    `json:"reason"`
	Clean  bool      `json:"clean"` // TCP was closed after a completed closing handshake
	At     time.Time `json:"at"`
}

var errTerminated = errors.New("the application killed the connection")

const (
	maxTokens = 10_000   // connections whose close events are kept
	maxFill   = 64 << 20 // bytes of one fill
)

// eventStore keeps the close events of the last maxTokens tokens.
type eventStore struct {
	mu     sync.Mutex
	events map[string][]CloseEvent
	tokens []string // in the order of their first event
}

func (t *eventStore) add(token string, e CloseEvent) {
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

func (t *eventStore) list(token string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, err := json.Marshal(append([]CloseEvent{}, t.events[token]...))
	if err != nil {
		return []byte("[]") // only a time that JSON cannot write; this does not happen
	}
	return list
}

// query returns the parameters of the request's URL.
func (c *conn) query(head []byte) url.Values {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil
	}
	return r.URL.Query()
}

// obeyOnOpen obeys the command in the URL that opened the connection.
func (c *conn) obeyOnOpen(command string) error {
	if err := c.send(ws.NewTextFrame([]byte("finwait:opened"))); err != nil {
		return err
	}
	return c.obey(command)
}

// obey carries out a command. It answers an unknown or malformed command with
// an error text.
func (c *conn) obey(line string) error {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "hello":
		return c.sendText("finwait:v1 close terminate fill kick-all events")
	case "close", "kick-all":
		code, reason, err := closeArguments(rest)
		if err != nil {
			return c.sendText("finwait:error " + err.Error())
		}
		if command == "kick-all" {
			c.onKick(c, code, reason)
		}
		return c.onAppClose(c, code, reason)
	case "terminate":
		return c.onTerminate(c)
	case "fill":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > maxFill {
			return c.sendText("finwait:error fill takes a number of bytes, 67108864 at most")
		}
		return c.onFill(c, n)
	case "events":
		return c.sendText(string(c.closeEvents.list(rest)))
	}
	return c.sendText("finwait:error no such command")
}

func (c *conn) sendText(text string) error { return c.send(ws.NewTextFrame([]byte(text))) }

// closeArguments parses [code [reason]]. Code 0 means that there is none.
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

// closeForApp starts the closing handshake for the application. A code that may
// not be sent becomes 1011 (7.4.1). The server goes on reading, and nothing that
// the peer sends moves the deadline.
func (c *conn) closeForApp(code ws.StatusCode, reason string) error {
	if code != 0 && !sendable(code) {
		code, reason = ws.StatusInternalServerError, ""
	}
	return c.sendClose(code, reason)
}

func (c *conn) sendClose(code ws.StatusCode, reason string) error {
	c.startCloseTimer()
	if code == 0 {
		return c.send(ws.NewCloseFrame(nil))
	}
	return c.send(closeFrame(code, reason))
}

// terminate ends the connection by RST, without a Close frame.
func (c *conn) terminate() error {
	c.abort()
	return errTerminated
}

// fill sends n bytes in messages, while the connection goes on reading. If the
// peer does not take a message within CloseTimeout, the frame is cut, and nothing
// can be written after it.
func (c *conn) fill(n int) error {
	c.filling.Go(func() {
		for ; n > 0 && !c.frameCut.Load() && !c.closingBegan.Load(); n -= 64 << 10 {
			c.fillMessage(min(n, 64<<10), c.CloseTimeout)
		}
	})
	return nil
}

func (c *conn) fillMessage(n int, limit time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closeSent || c.closingBegan.Load() {
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
			_ = c.net.SetWriteDeadline(end) // Read had set the deadline
		default:
			c.frameCut.Store(true)
			return
		}
	}
}

// kick holds the code and reason of the Close frame that kick-all sends.
type kick struct {
	code   ws.StatusCode
	reason string
}

// kickOthers makes every other open connection start its closing handshake.
func (c *conn) kickOthers(code ws.StatusCode, reason string) {
	c.conns.Range(func(other, _ any) bool {
		if o := other.(*conn); o != c {
			o.kicked.Store(&kick{code, reason})
			o.wake()
		}
		return true
	})
}

// closeEvent makes the event that the application receives when the descriptor
// is closed.
func (c *conn) closeEvent() CloseEvent {
	e := CloseEvent{Code: int(ws.StatusAbnormalClosure), At: time.Now().UTC()}
	if c.receivedClose != nil {
		code, reason := parseClose(*c.receivedClose)
		e.Code, e.Reason, e.Clean = int(code), reason, c.closeSent && !c.aborted
	}
	return e
}
