package hostile

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// conn is one connection of a hostile server. What is written to a peer that
// is gone is lost, and nobody is told.
type conn struct {
	*net.TCPConn          // below TLS
	out          net.Conn // TCP, or TLS over it
	in           *bufio.Reader
	server       *Server
}

func newConn(c *net.TCPConn, s *Server) *conn {
	out := net.Conn(c)
	if s.tls != nil {
		out = tls.Server(c, s.tls)
	}
	return &conn{c, out, bufio.NewReader(out), s}
}

const response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

// upgrade answers the request with 101 (RFC 6455, 4.2.2), and tells whether
// there was one.
func (c *conn) upgrade() bool {
	r := c.request()
	if r == nil {
		return false
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c.say(response + "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	return true
}

// request reads the request; nil where there is none.
func (c *conn) request() *http.Request {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return nil
	}
	return r
}

func (c *conn) write(b ...byte)    { _, _ = c.out.Write(b) }
func (c *conn) say(text string)    { c.write([]byte(text)...) }
func (c *conn) frame(f ws.Frame)   { c.write(ws.MustCompileFrame(f)...) }
func (c *conn) close(body ...byte) { c.frame(ws.NewCloseFrame(body)) }

// forever writes b until the peer is gone, with a pause on the average, 0: as fast
// as the connection takes it. What the peer sends is read meanwhile, so that only it
// can end this.
func (c *conn) forever(b []byte, pause time.Duration) {
	c.server.running.Go(c.drain)
	if pause == 0 {
		b = bytes.Repeat(b, 1+(32<<10)/len(b))
		for {
			if _, err := c.out.Write(b); err != nil {
				return
			}
		}
	}
	b = bytes.Repeat(b, 10)
	ticker := time.NewTicker(10 * pause)
	defer ticker.Stop()
	for {
		if _, err := c.out.Write(b); err != nil {
			return
		}
		<-ticker.C
	}
}

// drain reads until the peer has sent FIN or RST.
func (c *conn) drain() { _, _ = io.Copy(io.Discard, c.in) }

// hold keeps the connection, unread, until the server is closed.
func (c *conn) hold() { <-c.server.closing }

// reset ends the connection by RST.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// next reads a whole frame of the peer; nil where none comes any more, or none
// that a small server takes.
func (c *conn) next() *ws.Frame {
	h, err := ws.ReadHeader(c.in)
	if err != nil || h.Length > 1<<20 {
		return nil
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(c.in, f.Payload); err != nil {
		return nil
	}
	if h.Masked {
		f = ws.UnmaskFrameInPlace(f)
	}
	return &f
}

// polite echoes texts and answers a Close.
func polite(c *conn) { c.serve(true) }

func (c *conn) serve(echo bool) {
	if !c.upgrade() {
		return
	}
	for f := c.next(); f != nil; f = c.next() {
		switch {
		case f.Header.OpCode == ws.OpText && echo:
			c.frame(ws.NewTextFrame(f.Payload))
		case f.Header.OpCode == ws.OpClose:
			c.close(f.Payload...)
			if t, ok := c.out.(*tls.Conn); ok {
				_ = t.CloseWrite()
			}
			_ = c.CloseWrite()
			c.drain()
			return
		}
	}
}
