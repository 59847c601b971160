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

// These errors say why a connection ends. Network errors are the other causes.
var (
	errAnswered = errors.New("a Close frame was answered")
	errFailed   = errors.New("the connection was failed")
	errRefused  = errors.New("the opening handshake was refused")
	errStopping = errors.New("the server stops")
	errVanished = errors.New("no byte came since the last Ping")
	errBlocked  = errors.New("the peer does not read")
	errDeadline = errors.New("the deadline has passed")
)

// conn is one connection. One goroutine reads, writes and closes it. Other
// goroutines may only call wake.
type conn struct {
	*server
	id   uint64
	peer netip.AddrPort
	net  net.Conn // TLS over tcp, or tcp itself
	tcp  *net.TCPConn
	in   *bufio.Reader // reads conn.Read

	opened       bool      // the opening handshake is complete
	deadline     time.Time // absolute end of the opening handshake, or of the closing; zero while the connection is open
	lastReceived time.Time // when the peer's last bytes came
	lastPing     time.Time
	closeSent    bool // the server has sent its Close frame
	aborted      bool // close(2) will send RST

	token         string               // identifies the close event; empty if nobody asks for it
	kicked        atomic.Pointer[kick] // set by another connection
	receivedClose *[]byte              // the body of the first Close frame that came

	writing      sync.Mutex // a fill holds it too
	filling      sync.WaitGroup
	frameCut     atomic.Bool // a fill stopped inside a frame, so nothing can be written after it
	closingBegan atomic.Bool // a fill writes no further frame

	message    bytes.Buffer // the bytes of the current message so far
	opcode     ws.OpCode    // text or binary
	validated  int          // how many bytes of a text message are known to be UTF-8
	fragmented bool         // more fragments of the message must come
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
	c.deadline = time.Now().Add(s.HandshakeTimeout)
	c.in = bufio.NewReader(c)
	c.log("accepted", 0, "")
	return c, nil
}

// serve runs the connection from its first byte until its descriptor is
// closed.
func (c *conn) serve() {
	defer c.release()
	err := c.onOpen(c)
	if err == nil {
		err = c.readFrames()
	}
	switch {
	case errors.Is(err, errAnswered):
		c.onHandshakeDone(c)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		c.onPeerFIN(c)
	case errors.Is(err, errTerminated):
	case errors.Is(err, errVanished), errors.Is(err, errBlocked): // the peer reads nothing
		c.abort()
	default:
		c.closeTCP()
	}
}

// Read waits for the peer's next bytes. While it waits, it sends Pings, obeys a
// kick, and starts the closing handshake when the server stops. The deadline
// holds whatever the peer sends.
func (c *conn) Read(b []byte) (int, error) {
	for {
		due := c.nextDeadline()
		_ = c.net.SetDeadline(due) // for reading and writing: TLS may write while it reads
		if k := c.kicked.Load(); k != nil && c.opened && c.deadline.IsZero() {
			if err := c.onAppClose(c, k.code, k.reason); err != nil {
				return 0, err
			}
			continue
		}
		switch {
		case !c.stopping():
		case !c.opened:
			c.wake() // ends the TLS handshake too
			return 0, errStopping
		case c.deadline.IsZero():
			if err := c.onServerStop(c); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.net.Read(b)
		now := time.Now()
		if n > 0 {
			c.lastReceived = now
			c.onBytes(c)
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if due.IsZero() || now.Before(due) {
			continue // another goroutine called wake
		}
		if !c.deadline.IsZero() {
			return 0, errDeadline
		}
		if err := c.ping(now); err != nil {
			return 0, err
		}
	}
}

// nextDeadline is when Read has something else to do. Zero means never.
func (c *conn) nextDeadline() time.Time {
	if !c.deadline.IsZero() || c.PingInterval < 0 {
		return c.deadline
	}
	due := c.lastPing.Add(c.PingInterval)
	if c.lastReceived.Before(c.lastPing) { // a Pong may be delayed by a slow write
		due = later(due, time.Now().Add(lastMoment))
	}
	return due
}

func (c *conn) ping(now time.Time) error {
	if c.lastReceived.Before(c.lastPing) {
		return errVanished
	}
	c.lastPing = now
	if !c.writing.TryLock() { // a Ping would wait for a fill to end
		c.lastReceived = now
		return nil
	}
	defer c.writing.Unlock()
	return c.sendLocked(ws.NewPingFrame(nil))
}

// sendGoingAway starts the closing handshake because the server stops.
func (c *conn) sendGoingAway() error {
	c.deadline = c.server.deadline
	return c.send(closeFrame(ws.StatusGoingAway, ""))
}

// wake makes a blocked Read look at the clock and at server.stop.
func (c *conn) wake() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) }

// startCloseTimer sets the deadline of the closing, unless one is set already.
func (c *conn) startCloseTimer() {
	c.closingBegan.Store(true)
	if c.deadline.IsZero() {
		c.deadline = time.Now().Add(c.CloseTimeout)
	}
}

// send writes one frame. After the server's own Close frame it writes nothing
// (RFC 6455, 5.5.1). It blocks for at most CloseTimeout, or until the deadline.
func (c *conn) send(f ws.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.sendLocked(f)
}

// sendLocked is send for a caller that holds c.writing.
func (c *conn) sendLocked(f ws.Frame) error {
	switch {
	case c.closeSent:
		return nil
	case c.frameCut.Load():
		return errBlocked
	}
	var b bytes.Buffer
	for _, f := range c.onSend(f) {
		_ = ws.WriteFrame(&b, f) // a buffer takes everything
	}
	c.closeSent = f.Header.OpCode == ws.OpClose
	err := c.write(b.Bytes())
	if c.closeSent && err == nil {
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
	if c.deadline.IsZero() {
		return time.Now().Add(c.CloseTimeout)
	}
	return later(c.deadline, time.Now().Add(lastMoment))
}

// closeTCP closes TCP cleanly (7.1.1). It sends FIN, then discards what the
// peer still sends, so that no RST destroys the Close frame.
func (c *conn) closeTCP() {
	c.startCloseTimer()
	c.sendFIN()
	c.drain(c.deadline)
}

// sendCloseNotify sends close_notify under TLS, and does nothing otherwise.
func (c *conn) sendCloseNotify() {
	if t, ok := c.net.(*tls.Conn); ok { // CloseWrite sets a write deadline of 5 s itself
		cut := time.AfterFunc(time.Until(c.writeLimit()), func() { _ = c.tcp.SetWriteDeadline(time.Unix(1, 0)) })
		_ = t.CloseWrite()
		cut.Stop()
	}
}

// sendFIN sends FIN. Under TLS it sends close_notify first.
func (c *conn) sendFIN() {
	c.onTLSEnd(c)
	if c.tcp.CloseWrite() == nil {
		c.log("fin-sent", 0, "")
	}
}

// drain discards incoming bytes until the peer's FIN, the limit, or the end of
// a shutdown.
func (c *conn) drain(limit time.Time) {
	for {
		_ = c.tcp.SetReadDeadline(limit)
		if c.stopping() && limit.After(c.server.deadline) {
			limit = c.server.deadline
			continue
		}
		if _, err := io.Copy(io.Discard, c.tcp); !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(limit) {
			return
		}
	}
}

// abort makes release send RST, so that the kernel keeps no unsent data for a
// peer that does not read.
func (c *conn) abort() {
	c.aborted = true
	_ = c.tcp.SetLinger(0)
}

func (c *conn) release() {
	_ = c.tcp.Close()
	c.log("released", 0, "")
	c.filling.Wait()
	if c.token != "" {
		c.onCloseEvent(c, c.closeEvent())
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
