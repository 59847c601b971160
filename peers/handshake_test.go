package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestResponses: what is not a valid 101 fails the script, on time and with a
// cause that a user can act on.
func TestResponses(t *testing.T) {
	const limit = 500 * time.Millisecond
	text := func(s string) func(*conn) { return func(c *conn) { c.accept(); c.write(s) } }
	without := func(header string) func(*conn) {
		return func(c *conn) { c.write(strings.Replace(c.accept(), header, "X-Nothing: a", 1)) }
	}
	tests := []struct {
		name   string
		behave func(*conn)
		err    string // part of it
		status int
		at     time.Duration
	}{
		{"404", text("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"), "the server answered HTTP 404 instead of " +
			"101 (no WebSocket at /?)", 404, 0},
		{"301", text("HTTP/1.1 301 Moved Permanently\r\nLocation: /ws\r\n\r\n"), "HTTP 301 instead of 101", 301, 0},
		{"200 without end", text("HTTP/1.1 200 OK\r\n\r\nendless"), "HTTP 200 instead of 101", 200, 0},
		{"wrong key", func(c *conn) { c.write(strings.Replace(c.accept(), "Accept: ", "Accept: a", 1)) },
			"not that of the key (RFC 6455, 4.1", 101, 0},
		{"no key", without("Sec-WebSocket-Accept: "), `Sec-WebSocket-Accept header is "", not that of the key`, 101, 0},
		{"no Upgrade", without("Upgrade: websocket"), `Upgrade header is ""`, 101, 0},
		{"no Connection", without("Connection: Upgrade"), `Connection header is ""`, 101, 0},
		{"not HTTP", text("220 mail.example ESMTP\x1b[31m\r\n\r\n"),
			`not HTTP: "220 mail.example ESMTP\x1b[31m\r\n\r\n" (malformed HTTP`, 0, 0},
		{"a line that is no header", text("HTTP/1.1 101 A\r\nUpgrade: websocket\r\nwhat is this?\r\n\r\n"), "(malformed MIME header", 0, 0},
		{"silent", func(c *conn) { c.accept() }, "the server said nothing for 500ms", 0, limit},
		{"never ends", text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"), "the handshake response has no " +
			"end after 500ms", 0, limit},
		{"dripped", func(c *conn) {
			c.accept()
			for c.tcp != nil {
				if _, err := io.WriteString(c, "X"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}, "the handshake response has no end after 500ms", 0, limit},
		{"megabyte header", text("HTTP/1.1 101 A\r\nA: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), "no end after 64 KiB", 0, 0},
		{"endless header", func(c *conn) {
			c.accept()
			for line := "A: " + strings.Repeat("a", 1000) + "\r\n"; ; {
				if _, err := io.WriteString(c, line); err != nil {
					return
				}
			}
		}, "no end after 64 KiB", 0, 0},
		{"FIN inside", func(c *conn) { c.accept(); c.write("HTTP/1.1 101 A\r\n"); c.fin() }, "the server ended TCP (fin)", 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { test.behave(c); _, _ = c.drain() })
			if o.Setup = 5 * time.Second; test.at > 0 {
				o.Setup = test.at
			}
			r := Run(t.Context(), Opened(Trigger{}, HoldOpen{}), o)
			if !strings.HasPrefix(r.Err, "await upgrade: ") || !strings.Contains(r.Err, test.err) || len(r.Err) > 300 {
				t.Errorf("error: %s", r.Err)
			}
			if r.Status != test.status || r.Triggered {
				t.Errorf("status %d, triggered %t", r.Status, r.Triggered)
			}
			within(t, "the end", r.Stopped, test.at)
		})
	}
}

// TestAgreement: a server may choose one of what was offered, and says each thing
// once (RFC 6455, 4.1).
func TestAgreement(t *testing.T) {
	const protocol, extensions = "Sec-WebSocket-Protocol: ", "Sec-WebSocket-Extensions: "
	for _, test := range []struct {
		name, offered, old, new string // what of the response is replaced
		err                     string // part of it; empty: it is accepted
	}{
		{"nothing", "", "", "", ""},
		{"HTTP/1.0", "", "HTTP/1.1", "HTTP/1.0", "the 101 response is HTTP/1.0, not HTTP/1.1 (RFC 6455, 4.2.2)"},
		{"HTTP/9.9", "", "HTTP/1.1", "HTTP/9.9", "the 101 response is HTTP/9.9, not HTTP/1.1 (RFC 6455, 4.2.2)"},
		{"two Upgrade headers", "", "Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket",
			`the 101 response has 2 Upgrade headers, "websocket, websocket", instead of one (RFC 6455, 4.1)`},
		{"two Upgrade headers, one of them empty", "", "Upgrade: websocket", "Upgrade:\r\nUpgrade: websocket", "2 Upgrade headers"},
		{"Upgrade in capitals", "", "Upgrade: websocket", "Upgrade: WebSocket", ""},
		{"another upgrade", "", "Upgrade: websocket", "Upgrade: h2c", `Upgrade header is "h2c", not websocket (RFC 6455, 4.1)`},
		{"Connection in two headers", "", "Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", ""},
		{"Connection with two tokens", "", "Connection: Upgrade", "Connection: keep-alive,Upgrade", ""},
		{"Connection that is upgradeable", "", "Connection: Upgrade", "Connection: upgradeable, no-upgrade",
			`Connection header is "upgradeable, no-upgrade", not Upgrade (RFC 6455, 4.1)`},
		{"two keys", "", "Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Accept: a", "2 Sec-WebSocket-Accept headers"},
		{"an extension", "", "Upgrade: websocket", "Upgrade: websocket\r\n" + extensions + "x",
			`the extension "x", which was not asked for (RFC 6455, 4.1)`},
		{"an extension behind an empty header", "", "Upgrade: websocket", "Upgrade: websocket\r\n" + extensions +
			"\r\n" + extensions + "x", "which was not asked for (RFC 6455, 4.1)"},
		{"no extension", "", "Upgrade: websocket", "Upgrade: websocket\r\n" + extensions, ""},
		{"a subprotocol", "", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "chat",
			`the subprotocol "chat", which was not asked for (RFC 6455, 4.1)`},
		{"that was offered", "superchat, chat", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "chat", ""},
		{"none of two", "superchat, chat", "", "", ""},
		{"another subprotocol", "chat", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "chat2",
			`the subprotocol "chat2", which was not asked for (RFC 6455, 4.1)`},
		{"in capitals", "chat", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "Chat", `the subprotocol "Chat", which`},
		{"both in one header", "a, b", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "a, b",
			`several subprotocols, "a, b", where it may choose one (RFC 6455, 4.2.2 and 11.3.4)`},
		{"one in two headers", "a, b", "Upgrade: websocket", "Upgrade: websocket\r\n" + protocol + "a\r\n" + protocol +
			"a", "several subprotocols"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.write(strings.Replace(c.accept(), test.old, test.new, 1)); _, _ = c.drain() })
			if test.offered != "" {
				o.Header = http.Header{"Sec-Websocket-Protocol": {test.offered}}
			}
			r := Run(t.Context(), Opened(Trigger{}), o)
			if ok := r.Err == ""; ok != (test.err == "") || !strings.Contains(r.Err, test.err) {
				t.Errorf("error %q, want %q", r.Err, test.err)
			}
			swarm := &Swarm{Options: o, Server: netip.MustParseAddrPort(o.URL.Host), Peers: []Kind{Polite}}
			swarm.Patience = time.Millisecond
			if members, err := swarm.Run(t.Context()); err == nil && (members[0].Err == "" != (test.err == "") ||
				!strings.Contains(members[0].Err, test.err)) {
				t.Errorf("of a swarm: error %q, want %q", members[0].Err, test.err)
			}
		})
	}
}

// TestResponseFirst: a server that answers before it was asked.
func TestResponseFirst(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.write("HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=\r\n\r\n") // for no key
		_, _ = c.drain()
	})
	read := do(func(ctx context.Context, p *Peer) error {
		return p.await(ctx, func() bool { return p.live.handshakeErr != nil })
	})
	r := Run(t.Context(), Script{Connect{}, read, SendRequest{}, AwaitUpgrade{}}, o)
	if !strings.Contains(r.Err, "before it had a request") {
		t.Errorf("error: %s", r.Err)
	}
}

// TestEarlyFrames: what comes in the segments of the response counts, however
// they are cut.
func TestEarlyFrames(t *testing.T) {
	frames := []Frame{Text("a"), Filler(100 << 10), CloseFrame(1000, "bye")}
	for _, cut := range []int{0, 1, 50, -1, -2, -100} { // from the end of the head where negative
		t.Run("", func(t *testing.T) {
			t.Parallel()
			sent, read := make(chan uint64, 1), make(chan struct{})
			o := serve(t, func(c *conn) {
				head := c.accept()
				all := head + raw(frames...)
				at := cut
				if at < 0 {
					at += len(head) + 1
				}
				c.write(all[:at])
				sent <- uint64(at)
				<-read
				c.write(all[at:])
				_, _ = c.drain()
			})
			readAll := do(func(ctx context.Context, p *Peer) error {
				n := <-sent
				return p.await(ctx, func() bool { return p.live.bytesRead >= n })
			})
			r := play(t, o, Connect{}, SendRequest{}, readAll, tell(read), AwaitUpgrade{}, Trigger{}, AwaitClose{}, AnswerClose{}, Finish{})
			if len(r.Messages) != 2 || len(r.Closes) != 1 || len(r.Malformed) != 0 {
				t.Errorf("%d messages, %v, %v", len(r.Messages), r.Closes, r.Malformed)
			}
		})
	}
}

// TestRequest: what the server reads of a peer that opens.
func TestRequest(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		seen <- c.request
		f := make([]byte, 1)
		_, _ = io.ReadFull(c.in, f) // the frame behind the request
		c.send(Frame{Opcode: OpBinary, Payload: f})
		_, _ = c.drain()
	})
	o.URL.Path, o.URL.RawQuery, o.URL.User = "/a b", "x=1", url.UserPassword("me", "secret")
	o.Query = "finwait=7"
	o.Header = http.Header{"Origin": {"https://example.com"}, "Host": {"other.example"},
		"Sec-Websocket-Protocol": {"chat"}, "X-Split": {"a\r\nEvil: b"}}
	r := play(t, o, Connect{}, SendRequest{Then: []Frame{CloseFrame(1000, "")}}, AwaitUpgrade{}, Trigger{}, AwaitMessages{1}, Finish{})
	q := <-seen
	user, password, _ := q.BasicAuth()
	if q.Method != http.MethodGet || q.RequestURI != "/a%20b?x=1&finwait=7" || q.Host != "other.example" ||
		user != "me" || password != "secret" {
		t.Errorf("%s %s, host %s, user %s %s", q.Method, q.RequestURI, q.Host, user, password)
	}
	for name, want := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Origin": "https://example.com",
		"Sec-Websocket-Protocol": "chat", "Evil": "", "User-Agent": "",
	} {
		if got := q.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(r.CloseSent) != 1 || r.Messages[0].Payload[0] != 0x88 {
		t.Errorf("the Close frame did not go out with the request: %v", r.Messages)
	}
	if len(o.Header) != 4 || o.URL.RawQuery != "x=1" {
		t.Error("the options were changed")
	}
}

// TestZone: an interface of this host is no server's business, and in no certificate.
func TestZone(t *testing.T) {
	t.Parallel()
	all, err := net.Interfaces()
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if err != nil || i < 0 {
		t.Skip("needs a loopback interface", err)
	}
	s := httptest.NewTLSServer(nil) // for its certificate, of ::1 too
	s.Close()
	for _, config := range []*tls.Config{nil, {Certificates: s.TLS.Certificates}} {
		hosts := make(chan string, 1)
		o := listen(t, "[::1]:0", config, func(c *conn) {
			c.upgrade()
			if c.request != nil { // Go's server refuses a zone
				hosts <- c.request.Host
			}
			_, _ = c.drain()
		})
		sent := o.URL.Host
		o.URL.Host = strings.Replace(sent, "]", "%"+all[i].Name+"]", 1)
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		o.TLS.RootCAs.AddCert(s.Certificate())
		if r := Run(t.Context(), Opened(Trigger{}, Finish{}), o); r.Err != "" {
			t.Errorf("%s: %s", o.URL, r.Err)
		} else if host := <-hosts; host != sent {
			t.Errorf("%s: Host: %s, want %s", o.URL, host, sent)
		}
	}
}

// TestHalfRequest: a server cannot answer it.
func TestHalfRequest(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	o := serve(t, func(c *conn) { s, _ := c.drain(); got <- s })
	r := play(t, o, Connect{}, SendRequest{Half: true}, Trigger{}, Finish{})
	if s := <-got; !strings.HasPrefix(s, "GET / HTTP/1.1\r\n") || strings.Contains(s, "\r\n\r\n") {
		t.Errorf("sent %q", s)
	}
	if r.Ending != FIN {
		t.Errorf("ending %s", r.Ending)
	}
}

// TestConnectFails: each failure says what, and ends on time.
func TestConnectFails(t *testing.T) {
	const limit = 200 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	refused := Options{URL: &url.URL{Scheme: "ws", Host: l.Addr().String()}}
	trusting := func(o Options, c *tls.Config) Options { o.TLS = c; return o }
	upgrade := func(c *conn) { c.upgrade() }
	tests := []struct {
		name string
		opt  Options
		err  string
		at   time.Duration
	}{
		{"refused", refused, "refused", 0},
		{"unknown authority", trusting(serveTLS(t, upgrade), nil), "connect: TLS handshake: tls: failed to verify certificate", 0},
		{"another name", func() Options {
			o := serveTLS(t, upgrade)
			o.TLS.ServerName = "wrong.test"
			return o
		}(), "wrong.test", 0},
		{"no TLS there", trusting(serve(t, func(c *conn) {
			c.write("HTTP/1.0 400 Bad Request\r\n\r\n")
			_,
				_ = c.drain()
		}), &tls.Config{}), "first record does not look like a TLS handshake", 0},
		{"TLS handshake that never ends", trusting(serve(t, func(c *conn) { _, _ = c.drain() }), &tls.Config{}),
			"the TLS handshake has no end after", limit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := test.opt
			o.Setup = limit
			if o.TLS != nil || strings.Contains(test.err, "TLS") {
				o.URL.Scheme = "wss"
			}
			r := Run(t.Context(), Opened(Trigger{}), o)
			if !strings.HasPrefix(r.Err, "connect: ") || !strings.Contains(r.Err, test.err) {
				t.Errorf("error: %s", r.Err)
			}
			within(t, "the end", r.Stopped, test.at)
		})
	}
}
