package rules

import (
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// flood plays a script against a server that sends these frames, unmasked, when it has
// read frames of the peer, and then FIN.
func flood(t *testing.T, script peers.Script, query string, frames ...peers.Frame) *evidence.Record {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		if _, err := ws.ReadFrame(c); err != nil {
			return
		}
		for _, f := range frames {
			f.Unmasked = true
			if _, err := c.Write(f.Encode()); err != nil {
				return
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	r := peers.Run(t.Context(), script, peers.Options{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"},
		Query: query, Patience: 5 * time.Second})
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	return &evidence.Record{Record: r, Has: map[evidence.Capability]bool{evidence.Echo: true}}
}

// TestFloodHidesNothing: what a record keeps is bounded, and what it does not keep is
// judged all the same.
func TestFloodHidesNothing(t *testing.T) {
	const many, text = 600, "too late"
	var closes, talk []peers.Frame // no two Close frames are alike
	for i := range many {
		closes = append(closes, peers.CloseFrame(uint16(3000+i), strings.Repeat("r", i%100)))
		talk = append(talk, peers.Text("somebody joined"))
	}
	large := strings.Repeat("f", 4<<10)
	binary := func(s string) peers.Frame { return peers.Frame{Opcode: peers.OpBinary, Payload: []byte(s)} }
	behind := func(noise []peers.Frame, last ...peers.Frame) []peers.Frame {
		return append(append([]peers.Frame{}, noise...), last...)
	}
	for _, c := range []struct {
		name   string
		rule   Rule
		sends  peers.Frame
		frames []peers.Frame
		want   Outcome
		got    string // part of what was seen
	}{
		{"a Close with reserved bits", WellFormed, peers.Text("go"), behind(closes, peers.Frame{Opcode: peers.OpClose,
			RSV: 1}), Breached, "reserved bits 001"},
		{"a reason that is not UTF-8", WellFormed, peers.Text("go"), behind(closes, peers.CloseFrame(1000, "\xff")),
			Breached, `close 1000 "\xff"`},
		{"an illegal code", LegalCode, peers.Text("go"), behind(closes, peers.CloseFrame(1006, "")), Breached, "close 1006"},
		{"how many", OneClose, peers.Text("go"), closes, Breached, "600 Close frames"},
		{"data behind the Close", NothingAfterClose, peers.Text("go"), behind(closes, talk...), Breached, "600 data frames"},
		{"an echo", NotEchoedAfterClose(text), peers.Text(text), behind(talk, peers.Text(text)), Breached, "1 echoes"},
		{"when an echo came", LastEcho(text), peers.Text(text), behind(talk, peers.Text(text)), Measured, "echoed at "},
		{"a large echo", RefusedAsTooBig(uint64(len(large))), peers.Text(large), behind(talk, binary(large),
			peers.CloseFrame(1000, "")), Moot, "it is echoed"},
		{"the text before the Close", MessageFirst, peers.Text("go"), behind(talk, binary(peers.OpenedText),
			peers.CloseFrame(1000, "")), Kept, "the text at "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := flood(t, peers.Opened(peers.Trigger{}, peers.Send{c.sends}, peers.AwaitEnd{}, peers.Finish{}),
				"finwait-open=x", c.frames...)
			if f := c.rule.Check(r, Profile{}); f.Outcome != c.want || !strings.Contains(f.Got, c.got) {
				t.Errorf("%s: %s, want %s: %s", f.Outcome, f.Got, c.want, c.got)
			}
		})
	}
}
