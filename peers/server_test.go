package peers

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

// TestMain lets the tests wait side by side: they do little else.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(new(quiet.Machine).Tests(m))
}

const (
	soon  = 400 * time.Millisecond // how late a step may end on a busy machine
	never = 5 * time.Second        // what takes so long did not happen
)

// conn is a connection as the scripted server holds it.
type conn struct {
	net.Conn // what carries the frames: TCP, or TLS over it
	tcp      *net.TCPConn
	in       *bufio.Reader
	request  *http.Request
	over     <-chan struct{} // closed when the test ends
}

// serve runs behave for every connection, on 127.0.0.1 without TLS, and then
// closes it. The test waits for all of them.
func serve(t testing.TB, behave func(*conn)) Options {
	return listen(t, "127.0.0.1:0", nil, behave)
}

// serveTLS is [serve] over TLS. behave does the TLS handshake, by its first
// read or write.
func serveTLS(t testing.TB, behave func(*conn)) Options {
	t.Helper()
	s := httptest.NewTLSServer(nil) // for its certificate
	s.Close()
	o := listen(t, "127.0.0.1:0", &tls.Config{Certificates: s.TLS.Certificates}, behave)
	o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	o.TLS.RootCAs.AddCert(s.Certificate())
	return o
}

func listen(t testing.TB, address string, config *tls.Config, behave func(*conn)) Options {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("needs %s: %v", address, err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			tcp, err := l.Accept()
			if err != nil {
				return
			}
			c := &conn{Conn: tcp, tcp: tcp.(*net.TCPConn), over: t.Context().Done()}
			if config != nil {
				c.Conn = tls.Server(tcp, config)
			}
			c.in = bufio.NewReader(c.Conn)
			wait.Go(func() {
				defer func() { _ = tcp.Close() }()
				defer context.AfterFunc(t.Context(), func() { _ = tcp.Close() })()
				behave(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	scheme := "ws"
	if config != nil {
		scheme = "wss"
	}
	u := &url.URL{Scheme: scheme, Host: l.Addr().String(), Path: "/"}
	return Options{URL: u, Setup: never, Patience: never}
}

// accept reads the upgrade request and returns the response to it.
func (c *conn) accept() string {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return ""
	}
	c.request = r
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

// upgrade does the opening handshake; frames go out in the same write.
func (c *conn) upgrade(frames ...Frame) { c.write(c.accept(), frames...) }

func (c *conn) write(s string, frames ...Frame) { _, _ = io.WriteString(c.Conn, s+raw(frames...)) }

// send sends frames as a server does, unmasked.
func (c *conn) send(frames ...Frame) { c.write("", frames...) }

// raw is what a server sends for these frames.
func raw(frames ...Frame) string {
	var b strings.Builder
	for _, f := range frames {
		f.Unmasked = true
		b.Write(f.Encode())
	}
	return b.String()
}

// drain reads until the peer has ended TCP, and returns what came and how it
// ended: nil for FIN.
func (c *conn) drain() (string, error) {
	b, err := io.ReadAll(c.in)
	return string(b), err
}

func (c *conn) fin() { _ = c.tcp.CloseWrite() }
func (c *conn) rst() { _ = c.tcp.SetLinger(0); _ = c.tcp.Close() }

// do is a step of a test.
type do func(ctx context.Context, p *Peer) error

func (f do) Do(ctx context.Context, p *Peer) error { return f(ctx, p) }
func (do) String() string                          { return "step of the test" }

// tell closes the channel: the server waits for it.
func tell(ch chan struct{}) Step {
	return do(func(context.Context, *Peer) error { close(ch); return nil })
}

// wait waits until the server closes the channel.
func wait(ch <-chan struct{}) Step {
	return do(func(context.Context, *Peer) error {
		select {
		case <-ch:
			return nil
		case <-time.After(never):
			return errors.New("the test's server did not get so far")
		}
	})
}

// until waits until the record is as the condition says.
func until(cond func(r *Record) bool) Step {
	return do(func(ctx context.Context, p *Peer) error {
		return p.await(ctx, func() bool { return cond(p.snapshot()) })
	})
}

// meanwhile carries out steps while the script goes on.
func meanwhile(steps ...Step) Step {
	return do(func(ctx context.Context, p *Peer) error {
		go func() {
			for _, s := range steps {
				if s.Do(ctx, p) != nil {
					return
				}
			}
		}()
		return nil
	})
}

// play runs the script and fails the test where it could not be carried out.
func play(t testing.TB, o Options, script ...Step) *Record {
	t.Helper()
	r := Run(t.Context(), script, o)
	if r.Err != "" {
		t.Errorf("the script failed: %s", r.Err)
	}
	for _, e := range r.Trace {
		if e.Kind == "" {
			t.Errorf("%q has no kind", e.What)
		}
	}
	if t.Failed() {
		dump(t, r)
	}
	return r
}

func dump(t testing.TB, r *Record) {
	t.Helper()
	for _, e := range r.Trace {
		t.Logf("%12s %-8s %s", e.At, e.Dir, e.What)
	}
}

// within fails the test where a time is not in [from, from+soon].
func within(t testing.TB, what string, got, from time.Duration) {
	t.Helper()
	if got < from-time.Millisecond || got > from+soon {
		t.Errorf("%s at %s, want %s", what, got, from)
	}
}

// count tells how many lines of the trace have this direction and begin with
// the prefix.
func count(r *Record, dir Dir, prefix string) (n int) {
	for _, e := range r.Trace {
		if e.Dir == dir && strings.HasPrefix(e.What, prefix) {
			n++
		}
	}
	return n
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
