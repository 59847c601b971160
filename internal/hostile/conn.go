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

// conn is one connection of a hostile server. Errors of its writes are ignored.
type conn struct {
	*net.TCPConn          // the connection below TLS
	out          net.Conn // TLS over the TCP connection, or the TCP connection itself
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

// response is the beginning of a 101, without the Sec-WebSocket-Accept.
const response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

// upgrade answers the request with 101 (RFC 6455, 4.2.2). It reports whether a request
// came.
func (c *conn) upgrade() bool {
	r := c.request()
	if r == nil {
		return false
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c.writeText(response + "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	return true
}

// request reads the request. It returns nil if none came.
func (c *conn) request() *http.Request {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return nil
	}
	return r
}

func (c *conn) write(b ...byte)       { _, _ = c.out.Write(b) }
func (c *conn) writeText(text string) { c.write([]byte(text)...) }
func (c *conn) frame(f ws.Frame)      { c.write(ws.MustCompileFrame(f)...) }
func (c *conn) close(body ...byte)    { c.frame(ws.NewCloseFrame(body)) }

// writeForever writes b again and again until a write fails. pause is the average time
// between two writes of b; 0 means as fast as TCP takes them. Meanwhile the server reads
// what the peer sends, so that only the peer can end this.
func (c *conn) writeForever(b []byte, pause time.Duration) {
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

// hold keeps the connection open and reads nothing, until the server is closed.
func (c *conn) hold() { <-c.server.closing }

// reset ends the connection by RST.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// nextFrame reads a frame of the peer. It returns nil if no complete frame comes, or if
// the frame is longer than 1 MiB.
func (c *conn) nextFrame() *ws.Frame {
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

// polite serves correctly: it echoes texts and answers a Close.
func polite(c *conn) { c.serve(true) }

func (c *conn) serve(echo bool) {
	if !c.upgrade() {
		return
	}
	for f := c.nextFrame(); f != nil; f = c.nextFrame() {
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
