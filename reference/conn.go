package reference

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// How a connection ends, besides the errors of the network.
var (
	errAnswered = errors.New("a Close was answered")
	errFailed   = errors.New("the connection was failed")
	errRefused  = errors.New("the opening handshake was refused")
	errStopping = errors.New("the server stops")
	errVanished = errors.New("nothing came since the last ping")
	errBlocked  = errors.New("the peer does not read")
	errLimit    = errors.New("the time is up")
)

// conn is one connection. One goroutine reads, writes and ends it; only wake
// may be called from another.
type conn struct {
	*server
	id   uint64
	peer netip.AddrPort
	net  net.Conn // TLS, or tcp itself
	tcp  *net.TCPConn
	in   *bufio.Reader // reads conn.Read

	opened        bool
	limit         time.Time // the absolute end of the handshake, or of the closing once it began; else zero
	heard, pinged time.Time
	closed        bool // the own Close is sent
	aborted       bool // RST ends it

	token    string               // for its close event; empty: nobody asks
	kicked   atomic.Pointer[kick] // set by another connection
	received *[]byte              // the body of the first Close that came

	writing sync.Mutex // also held by a fill
	filling sync.WaitGroup
	stuck   atomic.Bool // a fill was cut inside a frame
	ending  atomic.Bool // the closing began: a fill writes no further frame

	message    bytes.Buffer // what came of a message
	opcode     ws.OpCode    // its kind
	checked    int          // its bytes known to be UTF-8
	fragmented bool         // it has more to come
}

func newConn(s *server, id uint64, accepted net.Conn) (*conn, error) {
	raw := accepted
	if t, ok := accepted.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("serve a %T: only TCP, and TLS over TCP, can be served", raw)
	}
	c := &conn{server: s, id: id, net: accepted, tcp: tcp}
	c.peer = tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	c.limit = time.Now().Add(s.HandshakeTimeout)
	c.in = bufio.NewReader(c)
	c.log("accepted", 0, "")
	return c, nil
}

// serve runs the connection from its first byte until its descriptor is
// released.
func (c *conn) serve() {
	defer c.release()
	err := c.onOpen(c)
	if err == nil {
		err = c.talk()
	}
	switch {
	case errors.Is(err, errAnswered):
		c.onEnd(c)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		c.onGone(c)
	case errors.Is(err, errTerminated):
	case errors.Is(err, errVanished), errors.Is(err, errBlocked): // nobody listens
		c.abort()
	default:
		c.end()
	}
}

// Read waits for the peer's next bytes. Meanwhile it does what time asks for:
// it pings, and starts the closing handshake when the server stops. The limit
// holds whatever the peer sends.
func (c *conn) Read(b []byte) (int, error) {
	for {
		due := c.due()
		_ = c.net.SetDeadline(due) // both: TLS may write while it reads
		if k := c.kicked.Load(); k != nil && c.opened && c.limit.IsZero() {
			if err := c.onAsk(c, k.code, k.reason); err != nil {
				return 0, err
			}
			continue
		}
		switch {
		case !c.stopping():
		case !c.opened:
			c.wake() // nor may TLS wait for its handshake
			return 0, errStopping
		case c.limit.IsZero():
			if err := c.onLeave(c); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.net.Read(b)
		now := time.Now()
		if n > 0 {
			c.heard = now
			c.onHeard(c)
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if due.IsZero() || now.Before(due) {
			continue // woken
		}
		if !c.limit.IsZero() {
			return 0, errLimit
		}
		if err := c.ping(now); err != nil {
			return 0, err
		}
	}
}

// due is when Read has something else to do; zero is never.
func (c *conn) due() time.Time {
	if !c.limit.IsZero() || c.PingInterval < 0 {
		return c.limit
	}
	due := c.pinged.Add(c.PingInterval)
	if c.heard.Before(c.pinged) { // a pong may wait behind a slow write
		due = later(due, time.Now().Add(moment))
	}
	return due
}

func (c *conn) ping(now time.Time) error {
	if c.heard.Before(c.pinged) {
		return errVanished
	}
	c.pinged = now
	if !c.writing.TryLock() { // a Ping would wait behind a fill
		c.heard = now
		return nil
	}
	defer c.writing.Unlock()
	return c.put(ws.NewPingFrame(nil))
}

// leave starts the closing handshake because the server stops.
func (c *conn) leave() error {
	c.limit = c.server.limit
	return c.send(closeFrame(ws.StatusGoingAway, ""))
}

// wake makes a blocked Read look at the clock and at server.stop.
func (c *conn) wake() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) }

// begin starts the clock of the closing, unless it runs already.
func (c *conn) begin() {
	c.ending.Store(true)
	if c.limit.IsZero() {
		c.limit = time.Now().Add(c.CloseTimeout)
	}
}

// send writes one frame; behind the own Close it writes nothing (RFC 6455,
// 5.5.1). It blocks for CloseTimeout, or until the limit.
func (c *conn) send(f ws.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.put(f)
}

// put is send with the lock held.
func (c *conn) put(f ws.Frame) error {
	switch {
	case c.closed:
		return nil
	case c.stuck.Load():
		return errBlocked
	}
	var b bytes.Buffer
	for _, f := range c.onSend(f) {
		_ = ws.WriteFrame(&b, f) // a buffer takes everything
	}
	c.closed = f.Header.OpCode == ws.OpClose
	err := c.write(b.Bytes())
	if c.closed && err == nil {
		code, reason := parseClose(f.Payload)
		c.log("close-sent", code, reason)
	}
	return err
}

func (c *conn) write(b []byte) error {
	_ = c.net.SetWriteDeadline(c.writeLimit())
	_, err := c.net.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errBlocked
	}
	return err
}

func (c *conn) writeLimit() time.Time {
	if c.limit.IsZero() {
		return time.Now().Add(c.CloseTimeout)
	}
	return later(c.limit, time.Now().Add(moment))
}

// end lets go of TCP cleanly (7.1.1): FIN first, then what the peer still
// sends is discarded, so that no RST destroys the Close.
func (c *conn) end() {
	c.begin()
	c.fin()
	c.drain(c.limit)
}

// notify sends close_notify under TLS.
func (c *conn) notify() {
	if t, ok := c.net.(*tls.Conn); ok { // CloseWrite would allow itself 5 s
		cut := time.AfterFunc(time.Until(c.writeLimit()), func() { _ = c.tcp.SetWriteDeadline(time.Unix(1, 0)) })
		_ = t.CloseWrite()
		cut.Stop()
	}
}

// fin sends FIN, under TLS behind a close_notify.
func (c *conn) fin() {
	c.onNotify(c)
	if c.tcp.CloseWrite() == nil {
		c.log("fin-sent", 0, "")
	}
}

// drain discards what comes until the peer's FIN, the limit or the end of a
// shutdown.
func (c *conn) drain(limit time.Time) {
	for {
		_ = c.tcp.SetReadDeadline(limit)
		if c.stopping() && limit.After(c.server.limit) {
			limit = c.server.limit
			continue
		}
		if _, err := io.Copy(io.Discard, c.tcp); !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(limit) {
			return
		}
	}
}

// abort makes release send RST, so that the kernel keeps nothing for a peer
// that takes nothing.
func (c *conn) abort() {
	c.aborted = true
	_ = c.tcp.SetLinger(0)
}

func (c *conn) release() {
	_ = c.tcp.Close()
	c.log("released", 0, "")
	c.filling.Wait()
	if c.token != "" {
		c.onEvent(c, c.closeEvent())
	}
}

func (c *conn) log(what string, code ws.StatusCode, reason string) {
	if c.Log != nil {
		c.Log(Event{c.id, c.peer, time.Now(), what, int(code), reason})
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
