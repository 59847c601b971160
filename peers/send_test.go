package peers

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestSendInOneWrite: frames of one Send come in one segment.
func TestSendInOneWrite(t *testing.T) {
	t.Parallel()
	got := make(chan int, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		n, _ := c.tcp.Read(make([]byte, 4<<10))
		got <- n
		_, _ = c.drain()
	})
	play(t, o, Opened(Trigger{}, Send{Text("a"), Ping("b"), CloseFrame(1000, "")}, Finish{})...)
	if n := <-got; n != 7+7+8 {
		t.Errorf("the first read gave %d bytes", n)
	}
}

// TestSendPart: a byte at a time, at its pace, and the rest when it is due.
func TestSendPart(t *testing.T) {
	t.Parallel()
	const every = 20 * time.Millisecond
	frame := CloseFrame(1000, "bye") // 11 bytes
	reads := 0
	var all bytes.Buffer
	finished := make(chan struct{})
	o := serve(t, func(c *conn) {
		defer close(finished)
		c.upgrade()
		for b := make([]byte, 64); ; {
			n, err := c.tcp.Read(b)
			if err != nil {
				return
			}
			reads++
			all.Write(b[:n])
		}
	})
	part := SendPart{Frame: frame, Leave: 3, Every: every}
	r := play(t, o, Opened(part, Trigger{}, SendRest{}, Finish{})...)
	<-finished
	if f, err := ws.ReadFrame(&all); err != nil || string(ws.UnmaskFrame(f).Payload) != string(frame.Payload) || all.Len() > 0 {
		t.Errorf("frame %+v, %v", f, err)
	}
	if reads < 2 {
		t.Error("all bytes came in one segment")
	}
	var at []time.Duration
	for _, e := range r.Trace {
		if strings.HasPrefix(e.What, "byte ") {
			at = append(at, e.At)
		}
	}
	if len(at) != 8 || at[7]-at[0] < 7*every-time.Millisecond || at[7]-at[0] > 7*every+soon {
		t.Errorf("the bytes went out at %v", at)
	}
	if len(r.CloseSent) != 1 || r.CloseSent[0].At < 0 {
		t.Errorf("the Close frame counts as sent when its last byte is: %v", r.CloseSent)
	}
}

// TestSendPartUnfinished: a Close frame that is not completed was not sent.
func TestSendPartUnfinished(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	o := serve(t, func(c *conn) { c.upgrade(); s, _ := c.drain(); got <- s })
	r := play(t, o, Opened(SendPart{Frame: CloseFrame(1000, ""), Leave: 3}, SendPart{Frame: Text("a"), Leave: 99}, Trigger{}, Finish{})...)
	if s := <-got; len(s) != 5 || len(r.CloseSent) != 0 {
		t.Errorf("%q, %v", s, r.CloseSent)
	}
}

// TestKeepSending goes on behind the server's FIN, until its RST.
func TestKeepSending(t *testing.T) {
	t.Parallel()
	const every = 10 * time.Millisecond
	o := serve(t, func(c *conn) {
		c.upgrade()
		readFrame(c)
		c.fin()
		_, _ = io.CopyN(io.Discard, c.in, 10*7) // ten more
		c.rst()
	})
	r := play(t, o, Opened(Trigger{}, KeepSending{Text("a"), every})...)
	if r.Ending != FIN || r.RST == nil || *r.RST < 10*every {
		t.Errorf("%s, RST %v", r.Ending, r.RST)
	}
	if n := count(r, Sent, `text "a"`); n < 11 || n > 13 {
		t.Errorf("sent %d times", n)
	}
	within(t, "the end", r.Stopped, *r.RST)
}

func TestKeepSendingEndsOnTime(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	o.Patience = time.Second
	r := play(t, o, Opened(Trigger{}, KeepSending{Text("a"), 50 * time.Millisecond})...)
	within(t, "the end", r.Stopped, o.Patience)
	if n := count(r, Sent, `text "a"`); r.Ending != Open || n < 3 || n > 21 {
		t.Errorf("%s, sent %d times", r.Ending, n)
	}
}

// TestSendUntilBlocked stops where the server takes no more, or at Max.
func TestSendUntilBlocked(t *testing.T) {
	const stall = 50 * time.Millisecond
	frame := Filler(64 << 10)
	stuck := func(c *conn) { c.upgrade(); <-c.over }
	reads := func(c *conn) { c.upgrade(); _, _ = c.drain() }
	tests := []struct {
		name   string
		behave func(*conn)
		max    int
		full   bool // Max was reached
	}{
		{"server reads", reads, 4 << 20, true},
		{"server does not read", stuck, 64 << 20, false},
		{"less than the buffers hold", stuck, 64 << 10, true},
		{"nothing", stuck, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := play(t, serve(t, test.behave), Opened(Trigger{}, SendUntilBlocked{frame, test.max, stall})...)
			var sent, of int
			if _, err := fmt.Sscanf(r.Trace[len(r.Trace)-1].What, "%d bytes in messages of %d bytes", &sent,
				&of); err != nil || of != 64<<10 {
				t.Fatalf("no figure: %v", r.Trace)
			}
			if full := sent >= test.max; full != test.full || sent > test.max+len(frame.Encode()) {
				t.Errorf("%d bytes were taken", sent)
			}
			if !test.full {
				within(t, "the end", r.Stopped, stall)
			}
			if count(r, Sent, "") != 2 {
				t.Error("want the request and one line")
				dump(t, r)
			}
		})
	}
}

// TestFloodAfterFIN: what a peer sends to a server that is gone ends its
// script; it is not an error.
func TestFloodAfterFIN(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); c.rst() })
	r := play(t, o, Opened(Trigger{}, AwaitEnd{}, Send{Text("a")}, Send{Text("b")}, Pause{never})...)
	if r.Ending != RST {
		t.Errorf("ending %s", r.Ending)
	}
	within(t, "the end", r.Stopped, 0)
}

// TestSlowReading: the server's bytes come in at the pace of the peer.
func TestSlowReading(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); readFrame(c); c.send(Text("12345678")); _, _ = c.drain() })
	r := play(t, o, Opened(Trigger{}, SlowReading{2, 20 * time.Millisecond}, Send{Text("go")}, AwaitMessages{1}, Finish{})...)
	if at := r.Messages[0].At; at < 4*20*time.Millisecond || at > 6*20*time.Millisecond+soon {
		t.Errorf("10 bytes took %s", at)
	}
}
