package peers

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// TestEchoesBehindManyMessages: what comes back is counted though the record keeps
// no more messages.
func TestEchoesBehindManyMessages(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.upgrade(append([]Frame{Text("before")}, slices.Repeat([]Frame{Text("noise")}, 2*keepMessages)...)...)
		_, _ = c.drain()
		c.send(CloseFrame(1000, ""), Text("late"), Text("late"), Text("never sent"))
		c.fin()
	})
	r := play(t, o, Opened(Send{Text("before")}, AwaitMessages{keepMessages}, Trigger{}, SendLast{CloseFrame(1000, ""),
		Text("late")}, AwaitEnd{})...)
	if len(r.Messages) != keepMessages || r.AfterClose != 3 {
		t.Errorf("%d messages kept, %d after the Close", len(r.Messages), r.AfterClose)
	}
	if want := map[string]int{"before": 0, "late": 2}; !maps.Equal(r.Echoes, want) {
		t.Errorf("echoes %v, want %v", r.Echoes, want)
	}
}

// TestCloseFrames: whatever shape the server's Close frame has is told as it
// stood on the wire.
func TestCloseFrames(t *testing.T) {
	long := strings.Repeat("r", 298)
	tests := []struct {
		name      string
		wire      string
		code      int
		hasCode   bool
		reason    string
		header    Header
		line      string
		malformed string
	}{
		{"empty", "\x88\x00", 0, false, "", Header{true, 0, 8, false, 0}, "close without a code", ""},
		{"1 byte", "\x88\x01\x03", 0, false, "", Header{true, 0, 8, false, 1}, "close with the 1-byte body 0x03", ""},
		{"explicit 0", "\x88\x02\x00\x00", 0, true, "", Header{true, 0, 8, false, 2}, "close 0", ""},
		{"65535", "\x88\x02\xff\xff", 65535, true, "", Header{true, 0, 8, false, 2}, "close 65535", ""},
		{"reason", "\x88\x05\x03\xe8bye", 1000, true, "bye", Header{true, 0, 8, false, 5}, `close 1000 "bye"`, ""},
		{"bad UTF-8", "\x88\x04\x03\xe8\xff\x1b", 1000, true, "\xff\x1b", Header{true, 0, 8, false, 4}, `close 1000 "\xff\x1b"`, ""},
		{"fragmented", "\x08\x02\x03\xe8", 1000, true, "", Header{false, 0, 8, false, 2}, "close 1000",
			"control frame close is fragmented"},
		{"masked", "\x88\x82\x01\x02\x03\x04\x02\xea", 1000, true, "", Header{true, 0, 8, true, 2}, "close 1000", "close frame is masked"},
		{"rsv", "\xd8\x02\x03\xe8", 1000, true, "", Header{true, 5, 8, false, 2}, "close 1000", "close frame has reserved bits 101"},
		{"126 bytes", "\x88\x7e\x00\x7e\x03\xe8" + long[:124], 1000, true, long[:124], Header{true, 0, 8, false, 126},
			"close 1000 \"" + long[:123] + "\"", "126 bytes (RFC 6455, 5.5)"},
		{"300 bytes", "\x88\x7e\x01\x2c\x03\xe8" + long, 1000, true, long[:254], Header{true, 0, 8, false, 300},
			"close 1000 \"" + long[:123] + "\"", "300 bytes (RFC 6455, 5.5)"},
		{"length not minimal", "\x88\x7e\x00\x02\x03\xe8", 1000, true, "", Header{true, 0, 8, false, 2}, "close 1000",
			"close frame's length is not in its minimal form"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(); c.write(test.wire); _, _ = c.drain() })
			r := play(t, o, Opened(Trigger{}, AwaitClose{}, Finish{})...)
			if len(r.Closes) != 1 {
				t.Fatalf("%d Close frames", len(r.Closes))
			}
			c := r.Closes[0]
			if code, ok := c.Code(); code != test.code || ok != test.hasCode || c.Reason() != test.reason {
				t.Errorf("code %d %t, reason %q", code, ok, c.Reason())
			}
			if diff := cmp.Diff(test.header, c.Frame); diff != "" {
				t.Error(diff)
			}
			if c.String() != test.line || count(r, Received, test.line) != 1 {
				t.Errorf("line %s", c)
			}
			if got := strings.Join(r.Malformed, "; "); (got == "") != (test.malformed == "") || !strings.Contains(got, test.malformed) {
				t.Errorf("malformed: %s", got)
			}
		})
	}
}

// TestCloseNeverComplete: a Close frame that is announced and not sent is none.
func TestCloseNeverComplete(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.upgrade()
		c.write("\x88\x7f\x7f\xff\xff\xff\xff\xff\xff\xff\x03\xe8")
		_, _ = c.drain()
	})
	o.Patience = 100 * time.Millisecond
	r := play(t, o, Opened(Trigger{}, AwaitClose{})...)
	if len(r.Closes) != 0 || r.Ending != Open || len(r.Malformed) != 1 {
		t.Errorf("%d Close frames, %s, %v", len(r.Closes), r.Ending, r.Malformed)
	}
	within(t, "the end", r.Stopped, o.Patience)
}

// TestAfterClose counts what follows the first Close frame.
func TestAfterClose(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.upgrade(CloseFrame(1000, ""), Text("late"), Ping(""), CloseFrame(1001, "again"), Frame{Opcode: OpBinary})
		c.fin()
		_, _ = c.drain()
	})
	r := play(t, o, Opened(Trigger{}, AwaitEnd{}, AnswerClose{}, Finish{})...)
	if len(r.Closes) != 2 || r.Closes[1].String() != `close 1001 "again"` || r.AfterClose != 2 || len(r.Messages) != 2 {
		t.Errorf("Close frames %v, %d data frames after them, %d messages", r.Closes, r.AfterClose, len(r.Messages))
	}
	if both, ok := r.BothClosed(); !ok || both != r.CloseSent[0].At {
		t.Errorf("both closed: %s %t", both, ok)
	}
}

// TestAnswerClose: the body comes back, as far as a control frame can hold it.
func TestAnswerClose(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 200)
	tests := []struct {
		name  string
		sent  []Frame
		or    Step
		wants string
	}{
		{"none", []Frame{Text("no close")}, nil, "none"},
		{"none, and a step instead", []Frame{Text("no close")}, Send{CloseFrame(1000, "")}, "\x03\xe8"},
		{"empty", []Frame{CloseBody(nil)}, Send{CloseFrame(1000, "")}, ""},
		{"1 byte", []Frame{CloseBody([]byte{3})}, nil, "\x03"},
		{"code and reason", []Frame{CloseFrame(4999, "bye"), CloseFrame(1000, "second")}, nil, "\x13\x87bye"},
		{"too long", []Frame{CloseBody(long)}, nil, string(long[:125])},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			o := serve(t, func(c *conn) {
				c.upgrade(test.sent...)
				f, err := ws.ReadFrame(c.in)
				if err != nil {
					got <- "none"
					return
				}
				got <- string(ws.UnmaskFrame(f).Payload)
				_, _ = c.drain()
			})
			all := until(func(r *Record) bool { return len(r.Closes)+len(r.Messages) == len(test.sent) })
			r := play(t, o, Opened(Trigger{}, all, AnswerClose{Else: test.or}, HalfClose{}, AwaitEnd{})...)
			if answer := <-got; answer != test.wants {
				t.Errorf("answered %q, want %q", answer, test.wants)
			}
			if want := test.wants != "none"; (len(r.CloseSent) == 1) != want {
				t.Errorf("the record has %d", len(r.CloseSent))
			}
		})
	}
}

// TestPings: a peer answers them as a client does, and no longer once one side
// has sent a Close frame, inside a frame, or where it was told not to.
func TestPings(t *testing.T) {
	// pinged sends what must not be answered, and then leaves time for it.
	pinged := func(c *conn, f ...Frame) {
		c.send(f...)
		time.Sleep(20 * time.Millisecond)
		c.send(Text("end"))
	}
	pongs := func(n int) Step {
		return until(func(r *Record) bool { return count(r, Sent, "pong") == n })
	}
	both := make(chan struct{})
	tests := []struct {
		name   string
		behave func(*conn)
		script Script
		pongs  []string // payloads
	}{
		{"answered", func(c *conn) { c.send(Ping("a")); readFrame(c); c.send(Ping("b")) }, Script{pongs(2)}, []string{"a", "b"}},
		{"empty", func(c *conn) { c.send(Ping("")) }, Script{pongs(1)}, []string{""}},
		{"after the server's Close", func(c *conn) { pinged(c, CloseFrame(1000, ""), Ping("a")) }, Script{AwaitMessages{1}}, nil},
		{"after the peer's Close", func(c *conn) { readFrame(c); pinged(c, Ping("a")) }, Script{Send{CloseFrame(1000,
			"")}, AwaitMessages{1}}, nil},
		{"inside a frame", func(c *conn) { _, _ = c.in.ReadByte(); pinged(c, Ping("a")) },
			Script{SendPart{Frame: Text("abc"), Leave: 2}, AwaitMessages{1}, SendRest{}}, nil},
		{"told not to", func(c *conn) { readFrame(c); pinged(c, Ping("a")) }, Script{NoPong{}, Send{Text("go")}, AwaitMessages{1}}, nil},
		{"after the peer's FIN", func(c *conn) { _, _ = c.drain(); pinged(c, Ping("a")) }, Script{HalfClose{}, AwaitMessages{1}}, nil},
		{"too long", func(c *conn) { pinged(c, Ping(strings.Repeat("p", 126))) }, Script{AwaitMessages{1}}, nil},
		{"while writing", func(c *conn) {
			_, _ = c.in.ReadByte()
			c.send(Ping("a"), Ping("b"))
			<-both // they cannot be answered now
		}, Script{meanwhile(until(func(r *Record) bool { return count(r, Received, "ping") == 2 }), tell(both)),
			Send{Filler(8 << 20)}, pongs(1)}, []string{"b"}},
		{"long after the last write", func(c *conn) { time.Sleep(1100 * time.Millisecond); c.send(Ping("a")) },
			Script{pongs(1)}, []string{"a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var sent bytes.Buffer
			finished := make(chan struct{})
			o := serve(t, func(c *conn) {
				defer close(finished)
				c.upgrade()
				c.in = bufio.NewReader(io.TeeReader(c.in, &sent))
				test.behave(c)
				_, _ = c.drain()
			})
			o.Setup = time.Second
			r := play(t, o, Opened(append(append(Script{Trigger{}}, test.script...), HalfClose{}, AwaitEnd{})...)...)
			<-finished
			var got []string
			for sent.Len() > 0 {
				f, err := ws.ReadFrame(&sent)
				if err != nil {
					t.Fatalf("the peer sent no whole frames: %v", err)
				}
				if f.Header.OpCode == ws.OpPong {
					got = append(got, string(ws.UnmaskFrame(f).Payload))
				}
			}
			if !slices.Equal(got, test.pongs) {
				t.Errorf("pongs %q, want %q", got, test.pongs)
				dump(t, r)
			}
		})
	}
}

func readFrame(c *conn) { _, _ = ws.ReadFrame(c.in) }
