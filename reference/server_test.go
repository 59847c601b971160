package reference

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestShutdown: whatever the peers do, Serve ends within the close timeout.
func TestShutdown(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{}, nil)
	polite, ignoring, talking := open(t, r.addr, ""), open(t, r.addr, ""), open(t, r.addr, "")
	inFrame := open(t, r.addr, text("hello")[:8])
	half := dial(t, r.addr)
	half.send(request[:40])
	last := open(t, r.addr, "") // every connection before it is accepted
	start := time.Now()
	r.stop()

	if what, err := polite.frame(); what != "close 1001" {
		t.Errorf("polite peer: got %q, %v", what, err)
	}
	polite.start = time.Now()
	polite.send(text("too late") + frame(0x89, "") + closeWith(1001, ""))
	if got := polite.transcript(); got != "fin" {
		t.Errorf("polite peer: got %q", got)
	}
	if got := half.head(); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("half a request: got %q", got)
	}
	_ = last.Close()
	talk := time.NewTicker(20 * time.Millisecond)
	defer talk.Stop()
	for ended := false; !ended; {
		select {
		case err := <-r.ended:
			r.ended <- err // for the clean-up
			ended = true
		case <-talk.C:
			_, _ = io.WriteString(talking, text("still here"))
		}
	}
	if took := time.Since(start); took < limit || took > limit+soon {
		t.Errorf("the shutdown took %v, the close timeout is %v", took, limit)
	}
	for name, p := range map[string]*peer{"ignoring": ignoring, "in a frame": inFrame} {
		p.start = time.Now()
		if got := p.transcript(); got != "close 1001, fin" {
			t.Errorf("peer %s: got %q", name, got)
		}
	}
}

// TestNotReading: a peer that sends and never reads does not block the server.
func TestNotReading(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{PingInterval: -1}, nil)
	p := open(t, r.addr, "")
	_ = p.Conn.(*net.TCPConn).SetReadBuffer(4096)
	message := frame(0x82, strings.Repeat("x", 1<<20))
	for range 64 {
		if _, err := io.WriteString(p, message); err != nil {
			break // the server ended it
		}
	}
	if !r.isReleased(limit + soon) {
		t.Error("still held behind the close timeout")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var events []Event
	r := serve(t, Options{Log: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}}, nil)
	p := open(t, r.addr, closeWith(1000, "bye"))
	p.transcript()
	_ = p.Close()
	if !r.isReleased(soon) {
		t.Fatal("not released")
	}
	mu.Lock()
	defer mu.Unlock()
	var got []string
	for n, e := range events {
		got = append(got, strings.TrimSpace(fmt.Sprint(e.What, " ", e.Code, " ", e.Reason)))
		if e.Conn != 1 || e.Peer.String() != p.LocalAddr().String() || n > 0 && e.At.Before(events[n-1].At) {
			t.Errorf("got %+v", e)
		}
	}
	if got := strings.Join(got, ", "); got != "accepted 0, opened 0, close-received 1000 bye, close-sent 1000, fin-sent 0, released 0" {
		t.Errorf("got %q", got)
	}
}

// TestTLS: the same over TLS, with a close_notify before the FIN, and read
// timeouts (pings) that do not disturb TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	https := httptest.NewTLSServer(nil)
	https.Close()
	r := serve(t, Options{PingInterval: soon / 4}, func(l net.Listener) net.Listener { return tls.NewListener(l, https.TLS) })
	raw := dial(t, r.addr)
	var tap bytes.Buffer // 1.2 shows the type of a record
	c := tls.Client(tapped{raw.Conn, &tap}, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	p := &peer{c, t, bufio.NewReader(c), time.Time{}}
	p.send(request)
	if got := p.head(); !strings.Contains(got, " 101 ") {
		t.Fatalf("got %q", got)
	}
	for range 3 {
		if what, err := p.frame(); what != "ping" {
			t.Fatalf("got %q, %v", what, err)
		}
		p.send(frame(0x8a, ""))
	}
	p.start = time.Now()
	p.send(text("hi") + closeWith(1000, ""))
	if got := p.transcript(); got != "text hi, close 1000, fin" {
		t.Errorf("got %q", got)
	}
	_ = c.Close()
	if !r.isReleased(soon) {
		t.Error("not released")
	}
	var last byte
	for b := tap.Bytes(); len(b) >= 5; b = b[5+int(b[3])<<8+int(b[4]):] {
		last = b[0]
	}
	if last != 21 {
		t.Errorf("last TLS record has type %d, not alert (close_notify)", last)
	}

	garbage := dial(t, r.addr)
	garbage.send(request)
	if !r.isReleased(soon) && !r.isReleased(limit) {
		t.Error("a peer without TLS is kept")
	}
}

// tapped copies what is read to tap.
type tapped struct {
	net.Conn
	tap io.Writer
}

func (c tapped) Read(b []byte) (int, error) { return io.TeeReader(c.Conn, c.tap).Read(b) }
