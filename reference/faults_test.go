package reference

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// exchange is what a peer sends behind the handshake and what it then sees.
// The peer closes TCP only after it saw the server's FIN, or sends FIN at once
// where half is set.
type exchange struct {
	fault, name string
	send        string
	half        bool
	want        string
	held        bool // the server keeps the descriptor, though the peer sent its FIN
}

var exchanges = []exchange{
	{name: "echo", send: text("hi") + frame(0x82, "\xff") + text(""), want: "text hi, binary \xff, text, open", held: true},
	{name: "fragments", send: frame(0x01, "a\xc3") + frame(0x89, "p") + frame(0x00, "\xa9") + frame(0x80, "b") +
		text("c"), want: "pong p, text aéb, text c, open", held: true},
	{name: "close", send: closeWith(1000, "bye"), want: "close 1000, fin"},
	{name: "close, empty", send: frame(0x88, ""), want: "close, fin"},
	{name: "close, private code", send: closeWith(4999, strings.Repeat("é", 61)), want: "close 4999, fin"},
	{name: "close in message", send: frame(0x01, "a") + closeWith(1001, ""), want: "close 1001, fin"},
	{name: "close, then more", send: closeWith(1000, "") + frame(0x89, "p") + text("t") + closeWith(1000, ""), want: "close 1000, fin"},
	{name: "close, then flood", send: closeWith(1000, "") + strings.Repeat(text(strings.Repeat("x", 60000)), 30), want: "close 1000, fin"},
	{name: "code 0", send: closeWith(0, ""), want: "close 1002, fin"},
	{name: "code 999", send: closeWith(999, ""), want: "close 1002, fin"},
	{name: "code 1004", send: closeWith(1004, ""), want: "close 1002, fin"},
	{name: "code 1005", send: closeWith(1005, ""), want: "close 1002, fin"},
	{name: "code 1006", send: closeWith(1006, ""), want: "close 1002, fin"},
	{name: "code 1014", send: closeWith(1014, ""), want: "close 1014, fin"},
	{name: "code 1015", send: closeWith(1015, ""), want: "close 1002, fin"},
	{name: "code 1016", send: closeWith(1016, ""), want: "close 1002, fin"},
	{name: "code 2999", send: closeWith(2999, ""), want: "close 1002, fin"},
	{name: "code 5000", send: closeWith(5000, ""), want: "close 1002, fin"},
	{name: "close of one byte", send: frame(0x88, "\x03"), want: "close 1002, fin"},
	{name: "reason is not UTF-8", send: closeWith(1000, "\xff"), want: "close 1007, fin"},
	{name: "reason too long", send: closeWith(1000, strings.Repeat("x", 124)), want: "close 1002, fin"},
	{name: "close fragmented", send: frame(0x08, "\x03\xe8"), want: "close 1002, fin"},
	{name: "unmasked", send: "\x81\x02hi" + text("t"), want: "close 1002, fin"},
	{name: "rsv1", send: frame(0xc1, "x"), want: "close 1002, fin"},
	{name: "opcode 3", send: frame(0x83, "x"), want: "close 1002, fin"},
	{name: "opcode 15", send: frame(0x8f, "x"), want: "close 1002, fin"},
	{name: "ping too long", send: frame(0x89, strings.Repeat("x", 126)), want: "close 1002, fin"},
	{name: "ping fragmented", send: frame(0x09, "x"), want: "close 1002, fin"},
	{name: "stray continuation", send: frame(0x80, "x"), want: "close 1002, fin"},
	{name: "text in message", send: frame(0x01, "a") + text("b"), want: "close 1002, fin"},
	{name: "text is not UTF-8", send: text("a\xff"), want: "close 1007, fin"},
	{name: "text is cut UTF-8", send: text("a\xc3"), want: "close 1007, fin"},
	{name: "first fragment is not UTF-8", send: frame(0x01, "a\xed\xa0"), want: "close 1007, fin"},
	{name: "length msb", send: "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", want: "close 1002, fin"},
	{name: "length 16 bit not minimal", send: "\x88\xfe\x00\x00\x01\x02\x03\x04", want: "close 1002, fin"},
	{name: "length 64 bit not minimal", send: "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04", want: "close 1002, fin"},
	{name: "too big", send: "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", want: "close 1009, fin"},
	{name: "too big in fragments", send: frame(0x02, strings.Repeat("x", 60000)) + frame(0x00, strings.Repeat("x",
		50000)), want: "close 1009, fin"},
	{name: "fin", half: true, want: "fin"},
	{name: "text, then fin", send: text("hi"), half: true, want: "text hi, fin"},
	{name: "frame cut", send: text("hello")[:8], half: true, want: "fin"},
	{name: "header cut", send: "\x81", half: true, want: "fin"},

	{fault: "no-answer", send: closeWith(1000, ""), want: "fin"},
	{fault: "answer-late", send: closeWith(1000, ""), want: "late close 1000, late fin"},
	{fault: "ignores-close-in-message", send: frame(0x01, "a") + closeWith(1000, ""), want: "open", held: true},
	{fault: "echo-after-close", send: closeWith(1000, "") + text("hi") + closeWith(1000, ""), want: "text hi, close 1000, fin"},
	{fault: "answer-1005", send: frame(0x88, ""), want: "close 1005, fin"},
	{fault: "body-one-byte", send: closeWith(1000, ""), want: "close of one byte, fin"},
	{fault: "close-bad-utf8", send: closeWith(1000, ""), want: "close 1000, bad reason, fin"},
	{fault: "close-fragmented", send: closeWith(1000, ""), want: "fragmented close 1000, fin"},
	{fault: "masks-frames", send: text("hi") + closeWith(1000, ""), want: "masked text hi, masked close 1000, fin"},
	{fault: "data-after-close", send: closeWith(1000, ""), want: "close 1000, text one more thing, fin"},
	{fault: "two-closes", send: closeWith(1000, ""), want: "close 1000, close 1000, fin"},
	{fault: "never-fin", send: closeWith(1000, ""), want: "close 1000, open", held: true},
	{fault: "waits-for-fin", send: closeWith(1000, ""), want: "close 1000, open"},
	{fault: "waits-for-fin", name: "fin", send: closeWith(1000, ""), half: true, want: "close 1000, fin"},
	{fault: "fin-late", send: closeWith(1000, ""), want: "close 1000, late fin"},
	{fault: "no-drain", send: closeWith(1000, "") + strings.Repeat("x", 64<<10), want: "close 1000, rst"},
	{fault: "fd-leak", send: closeWith(1000, ""), half: true, want: "close 1000, fin", held: true},
	{fault: "silent-violation", send: frame(0x83, ""), want: "fin"},
	{fault: "ignores-violation", send: frame(0x83, "x") + closeWith(1006, "") + text("hi"), want: "text hi, open", held: true},
	{fault: "never-ends-violation", send: frame(0x83, ""), want: "close 1002, open", held: true},
	{fault: "waits-after-violation", send: frame(0x83, "") + text("hi"), want: "close 1002, late fin"},
	{fault: "waits-after-violation", name: "answered", send: frame(0x83, "") + closeWith(1002, ""), want: "close 1002, fin"},
	{fault: "processes-after-violation", send: frame(0x83, "") + text("hi") + frame(0x83, ""), want: "close 1002, text hi, late fin"},
	{fault: "wrong-code", send: frame(0x83, ""), want: "close 1000, fin"},
	{fault: "ignores-bad-utf8", send: text("\xff"), want: "text \xff, open", held: true},
	{fault: "accepts-unmasked", send: "\x81\x02hi", want: "text hi, open", held: true},
	{fault: "accepts-rsv", send: frame(0xc1, "hi"), want: "text hi, open", held: true},
	{fault: "echo-illegal-code", send: closeWith(1006, ""), want: "close 1006, fin"},
	{fault: "accepts-bad-code", send: closeWith(1006, ""), want: "close 1000, fin"},
	{fault: "close-wait", half: true, want: "open", held: true},
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	for _, x := range exchanges {
		t.Run(strings.TrimSpace(x.fault+" "+x.name), func(t *testing.T) {
			t.Parallel()
			r := serve(t, Options{Fault: x.fault, PingInterval: -1, Late: 2 * soon, MaxMessage: 100_000}, nil)
			p := open(t, r.addr, x.send)
			if x.half {
				p.fin()
			}
			if got := p.transcript(); got != x.want {
				t.Errorf("got  %q\nwant %q", got, x.want)
			}
			if !x.half && !x.held {
				_ = p.Close()
			}
			if released := r.isReleased(soon); released == x.held {
				t.Errorf("descriptor released: %t", released)
			}
		})
	}
}

// TestLinger: the peer of a finished closing handshake never sends FIN.
func TestLinger(t *testing.T) {
	t.Parallel()
	for fault, held := range map[string]bool{"": false, "drains-forever": true, "fd-leak": true} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			r := serve(t, Options{Fault: fault}, nil)
			p := open(t, r.addr, closeWith(1000, ""))
			if released := r.isReleased(limit / 2); released {
				t.Error("released before the close timeout")
			}
			p.start = time.Now()
			if got := p.transcript(); got != "close 1000, fin" {
				t.Errorf("got %q", got)
			}
			if released := r.isReleased(limit); released == held {
				t.Errorf("released behind the close timeout: %t", released)
			}
		})
	}
}

func TestKeepalive(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{"": "late ping, late rst", "no-ping": "open"} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			r := serve(t, Options{Fault: fault, PingInterval: 2 * soon}, nil)
			p := open(t, r.addr, text("in the middle of a frame")[:9])
			if got := p.transcript(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestStopsAccepting(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{Fault: "stops-accepting"}, nil)
	if got := open(t, r.addr, frame(0x83, "")).transcript(); got != "close 1002, fin" {
		t.Errorf("another violation: got %q", got)
	}
	if got := open(t, r.addr, closeWith(1006, "")).transcript(); got != "close 1002, fin" {
		t.Errorf("illegal code: got %q", got)
	}
	p := dial(t, r.addr)
	p.send(request)
	if got := p.head(); got != "open" {
		t.Errorf("next handshake: got %q", got)
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	const late, bad = "HTTP/1.1 408 Request Timeout", "HTTP/1.1 400 Bad Request"
	for _, x := range []struct {
		fault, send string
		half        bool
		want        string
		held        bool
	}{
		{send: "", want: late},
		{send: request[:40], want: late},
		{send: request[:40], half: true, want: bad},
		{send: "", half: true, want: "fin"},
		{send: "nonsense\r\n\r\n", want: bad},
		{send: strings.Replace(request, "Key", "Lock", 1), want: bad},
		{send: strings.Replace(request, "13", "8", 1), want: "HTTP/1.1 426 Upgrade Required"},
		{send: strings.Replace(request, "GET", "PUT", 1), want: "HTTP/1.1 405 Method Not Allowed"},
		{send: strings.Repeat("x", maxHead+1), want: "HTTP/1.1 431 Request Header Fields Too Large"},
		{fault: "no-http-status", send: "nonsense\r\n\r\n", want: "fin"},
		{fault: "no-http-status", send: "", want: "fin"},
		{fault: "keeps-half-request", send: request[:40], want: "open", held: true},
		{fault: "keeps-half-request", send: request[:40], half: true, want: "open", held: true},
		{fault: "keeps-half-request", send: "nonsense\r\n\r\n", want: bad},
	} {
		name := x.fault + " " + x.send[:min(40, len(x.send))]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, Options{Fault: x.fault, HandshakeTimeout: soon}, nil)
			p := dial(t, r.addr)
			p.send(x.send)
			if x.half {
				p.fin()
			}
			if got := p.head(); got != x.want {
				t.Errorf("got %q, want %q", got, x.want)
			}
			if !x.held {
				_ = p.Close()
			}
			if released := r.isReleased(soon); released == x.held {
				t.Errorf("descriptor released: %t", released)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	list := Faults()
	if !slices.IsSortedFunc(list, func(a, b Fault) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted")
	}
	for n, f := range list {
		if f.Name == "" || f.Text == "" || len(f.Breaks) == 0 || n > 0 && f.Name == list[n-1].Name {
			t.Errorf("incomplete or listed twice: %+v", f)
		}
	}
}

func TestUnknownFault(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := Serve(t.Context(), l, Options{Fault: "no-such"}); err == nil || !strings.Contains(err.Error(), `"no-such"`) {
		t.Errorf("got %v", err)
	}
}
