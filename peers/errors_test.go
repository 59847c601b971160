package peers

import (
	"crypto/tls"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestOpeningErrors: why a connection could not be opened is told by the error's type,
// and a hint is on the error that it is about, never on its words.
func TestOpeningErrors(t *testing.T) {
	says := func(words string) func(*conn) {
		return func(c *conn) { c.accept(); c.write(words); c.fin(); _, _ = c.drain() }
	}
	const tls2ws = "does the server speak TLS there? try ws://"
	for _, c := range []struct {
		name   string
		tls    bool // the peer speaks TLS
		behave func(*conn)
		as     func(error) bool
		hint   string
	}{
		{"HTTP 400", false, says("HTTP/1.1 400 Bad Request\r\n\r\n"), as[*StatusError],
			"is it a WebSocket server? if it speaks TLS, give wss://"},
		{"HTTP 404", false, says("HTTP/1.1 404 Not Found\r\n\r\n"), as[*StatusError], ""},
		{"FIN", false, func(c *conn) { c.accept(); c.fin(); _, _ = c.drain() }, as[*EndedError], "is it a WebSocket server? if it " +
			"speaks TLS, give wss://"},
		{"silence", false, func(c *conn) { _, _ = c.drain() }, as[*SilentError], "is it a WebSocket server? if it speaks TLS, give wss://"},
		{"the words of a refusal", false, says("connection refused\r\n\r\n"), nil, ""},
		{"no TLS", true, func(c *conn) { _, _ = io.WriteString(c.tcp, "HTTP/1.1 400 Bad Request\r\n\r\n") },
			as[tls.RecordHeaderError], tls2ws},
		{"FIN in TLS", true, func(c *conn) {
			_, _ = c.tcp.Read(make([]byte, 4<<10))
			c.fin()
			_, _ = io.Copy(io.Discard,
				c.tcp)
		}, as[*TLSHandshakeError], tls2ws},
		{"silence in TLS", true, func(c *conn) { _, _ = io.Copy(io.Discard, c.tcp) }, as[*TLSTimeoutError], tls2ws},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, c.behave)
			if c.tls {
				o.URL.Scheme = "wss"
			}
			o.Setup = soon
			if !strings.HasPrefix(c.name, "silence") {
				o.Setup = never
			}
			checkHint(t, Run(t.Context(), Opened(), o), c.as, c.hint)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		checkHint(t, Run(t.Context(), Opened(), Options{URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:1"},
			Setup: time.Second}), nil, "is the server listening there?")
	})
}

// as reports whether an error of type E is in err's chain.
func as[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func checkHint(t *testing.T, r *Record, as func(error) bool, hint string) {
	t.Helper()
	if r.Failure == nil || as != nil && !as(r.Failure) {
		t.Errorf("%#v", r.Failure)
	}
	got := ""
	if hinted := new(HintedError); errors.As(r.Failure, &hinted) {
		got = hinted.Hint
	}
	if got != hint {
		t.Errorf("%v: hint %q, want %q", r.Failure, got, hint)
	}
}

// TestBarrierKeepsTheCause: what keeps one peer of a crowd from its place is told to the
// others with its type.
func TestBarrierKeepsTheCause(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	refusing := serve(t, func(c *conn) { c.accept(); c.write("HTTP/1.1 503 Full\r\n\r\n"); _, _ = c.drain() })
	leader, _ := meet(t, o, refusing, Opened(JoinBarrier{}))
	if status := new(StatusError); !errors.As(leader.Failure, &status) || status.Status != 503 {
		t.Errorf("%#v", leader.Failure)
	}
}
