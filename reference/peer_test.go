package reference

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

// TestMain lets the tests wait side by side: they do nothing else.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(new(quiet.Machine).Tests(m))
}

// The limits of the tests, far enough apart to tell them from each other.
const (
	soon    = 300 * time.Millisecond  // what comes later is "late"
	limit   = 800 * time.Millisecond  // CloseTimeout
	silence = 1800 * time.Millisecond // a connection silent for so long is "open"
)

const request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

// running is a server under test.
type running struct {
	addr     string
	stop     context.CancelFunc
	ended    chan error // Serve's result
	released chan Event
}

// serve starts a server; when the test ends it must end too, in time.
func serve(t testing.TB, o Options, wrap func(net.Listener) net.Listener) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{addr: l.Addr().String(), ended: make(chan error, 1), released: make(chan Event, 1000)}
	log := o.Log
	o.Log = func(e Event) {
		if log != nil {
			log(e)
		}
		if e.What == "released" {
			select {
			case r.released <- e:
			default: // a fuzzer does not look
			}
		}
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = limit
	}
	if wrap != nil {
		l = wrap(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(limit + time.Second):
			t.Error("Serve goes on though its context ended")
		}
	})
	return r
}

// isReleased waits for the next released connection, for d at most.
func (r *running) isReleased(d time.Duration) bool {
	select {
	case <-r.released:
		return true
	case <-time.After(d):
		return false
	}
}

// peer is a raw client.
type peer struct {
	net.Conn
	t     testing.TB
	in    *bufio.Reader
	start time.Time // what comes soon after it is not late
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &peer{c, t, bufio.NewReader(c), time.Now()}
}

// open dials and shakes hands; first goes out in the segment of the request.
func open(t testing.TB, addr, first string) *peer {
	t.Helper()
	p := dial(t, addr)
	p.send(request + first)
	if status := p.head(); !strings.Contains(status, " 101 ") {
		t.Fatalf("handshake answered with %q", status)
	}
	return p
}

func (p *peer) send(bytes string) {
	p.t.Helper()
	if _, err := io.WriteString(p, bytes); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) fin() {
	if err := p.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
}

// head reads an HTTP response without a body and gives its status line, or
// the way TCP ended.
func (p *peer) head() string {
	_ = p.SetReadDeadline(time.Now().Add(silence))
	status, err := p.in.ReadString('\n')
	for line := status; err == nil && line != "\r\n"; {
		line, err = p.in.ReadString('\n')
	}
	if err != nil {
		return ending(err)
	}
	return strings.TrimSpace(status)
}

// transcript tells what the server sends until TCP ends or nothing comes.
func (p *peer) transcript() string {
	var seen []string
	for {
		_ = p.SetReadDeadline(time.Now().Add(silence))
		what, err := p.frame()
		if err != nil {
			what = ending(err)
		}
		if what != "open" && time.Since(p.start) > soon {
			what = "late " + what
		}
		seen = append(seen, what)
		if err != nil {
			return strings.Join(seen, ", ")
		}
	}
}

func (p *peer) frame() (string, error) {
	h, err := ws.ReadHeader(p.in)
	if err != nil {
		return "", err
	}
	b := make([]byte, h.Length)
	if _, err := io.ReadFull(p.in, b); err != nil {
		return "", err
	}
	what := map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary", ws.OpPing: "ping", ws.OpPong: "pong",
		ws.OpClose: "close"}[h.OpCode]
	if h.Masked {
		ws.Cipher(b, h.Mask, 0)
		what = "masked " + what
	}
	if !h.Fin {
		what = "fragmented " + what
	}
	switch {
	case h.OpCode != ws.OpClose && len(b) > 20:
		return fmt.Sprintf("%s %d bytes", what, len(b)), nil
	case h.OpCode != ws.OpClose && len(b) > 0:
		return what + " " + string(b), nil
	case len(b) == 1:
		return what + " of one byte", nil
	case len(b) > 2 && !utf8.Valid(b[2:]):
		return fmt.Sprintf("%s %d, bad reason", what, int(b[0])<<8|int(b[1])), nil
	case len(b) > 1:
		return fmt.Sprintf("%s %d", what, int(b[0])<<8|int(b[1])), nil
	}
	return what, nil
}

func ending(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "open"
	case errors.Is(err, io.EOF):
		return "fin"
	case errors.Is(err, syscall.ECONNRESET):
		return "rst"
	}
	return err.Error()
}

// frame builds a masked frame with its first byte given.
func frame(first byte, payload string) string {
	f := ws.MaskFrameWith(ws.NewFrame(ws.OpCode(first&0xf), first&0x80 != 0, []byte(payload)), [4]byte{1, 2, 3, 4})
	f.Header.Rsv = first >> 4 & 7
	b, err := ws.CompileFrame(f)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func closeWith(code uint16, reason string) string {
	return frame(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func text(s string) string { return frame(0x81, s) }
