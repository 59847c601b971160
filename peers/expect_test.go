package peers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// talker greets with many texts, and echoes each text behind as many others, as
// a chat server does that lists who was there before.
func talker(c *conn) {
	noise := slices.Repeat([]Frame{Text("somebody joined")}, 3*keepMessages)
	c.upgrade(noise...)
	for {
		f, ok := readText(c)
		if !ok {
			return
		}
		c.send(append(slices.Clone(noise), f)...)
	}
}

// readText reads a text of the peer.
func readText(c *conn) (Frame, bool) {
	f, err := ws.ReadFrame(c.in)
	f = ws.UnmaskFrameInPlace(f)
	return Text(string(f.Payload)), err == nil && f.Header.OpCode == ws.OpText
}

// A step sees the message that it waits for however many came before it, and the
// record has it.
func TestAwaitedBehindManyMessages(t *testing.T) {
	t.Parallel()
	o := serve(t, talker)
	large := strings.Repeat("f", 2*keepMessage)
	for name, script := range map[string]Script{
		"text":      {Send{Text("hello")}, AwaitText{"hello"}},
		"answer":    {Send{Text("finwait:v1 close")}, AwaitAnswer{"finwait:v1"}},
		"count":     {AwaitMessages{3*keepMessages - 1}},
		"two texts": {Send{Text("one")}, AwaitText{"one"}, Send{Text("two")}, AwaitText{"two"}},
		"large":     {Send{Text(large)}, Send{Text("behind it")}, AwaitText{"behind it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := play(t, o, Opened(append(script, Trigger{}, Reset{})...)...)
			if !r.Triggered || r.Err != "" {
				t.Fatalf("not reached: %s", r.Err)
			}
			if n := len(r.Messages); n < keepMessages || n > keepMessages+2 {
				t.Errorf("%d messages are kept", n)
			}
			if last := r.Messages[len(r.Messages)-1]; name == "two texts" && string(last.Payload) != "two" {
				t.Errorf("the last one that is kept is %q", last.Payload)
			}
			if name == "large" && !slices.ContainsFunc(r.Messages, func(m Message) bool { return m.Length == uint64(len(large)) }) {
				t.Error("the echo of the large text is not kept")
			}
		})
	}
}

// A Close frame that differs from the many before it is kept.
func TestCloseBehindManyCloses(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.upgrade(append(slices.Repeat([]Frame{CloseFrame(1000, "")}, 40), CloseFrame(1005, ""))...)
		_, _ = c.drain()
	})
	r := play(t, o, Opened(Trigger{}, AwaitClose{}, Pause{soon / 4})...)
	if n := len(r.Closes); n != keepCloses+1 || r.Closes[n-1].String() != "close 1005" {
		t.Errorf("%v", r.Closes)
	}
}

// What the patience cuts while the peer pauses is told; what the server cuts is not.
func TestCutShort(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		behave func(*conn)
		script Script
		cut    string
	}{
		{"a pause", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Script{Pause{never}, Send{CloseFrame(1000, "")}}, "pause 5s\nsend close 1000"},
		{"no pause", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Script{Pause{time.Millisecond}, HoldOpen{}}, ""},
		{"a wait for the server", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Script{AwaitClose{}, Send{CloseFrame(1000, "")}}, ""},
		{"a frame that is never finished", func(c *conn) { c.upgrade(); _, _ = c.drain() },
			Script{SendPart{Frame: Filler(100), Leave: 1, Every: soon / 4}, HoldOpen{}}, ""},
		{"the end of TCP", func(c *conn) { c.upgrade(); c.fin() }, Script{AwaitEnd{}, HoldOpen{}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, test.behave)
			o.Patience = soon
			r := play(t, o, Opened(append(Script{Trigger{}}, test.script...)...)...)
			if got := r.CutShort.String(); got != test.cut || r.Err != "" {
				t.Errorf("cut short %q, want %q; %s", got, test.cut, r.Err)
			}
		})
	}
}

// A peer that joins by Knock has a moment of its own at which it was connected.
func TestConnected(t *testing.T) {
	t.Parallel()
	const after = 100 * time.Millisecond
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	leader, other := meet(t, o, o, Script{Knock{After: after}})
	if leader.Connected == nil || *leader.Connected > 0 {
		t.Errorf("the leader, connected before the trigger: %v", leader.Connected)
	}
	if other.Connected == nil || *other.Connected < after {
		t.Errorf("connected at %v, not %s after the trigger", other.Connected, after)
	}
}

// A script for a crowd that is played without one is an error of the script.
func TestNoCrowd(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	for _, step := range []Step{Gather{}, Leave{}} {
		if r := Run(t.Context(), Opened(Trigger{}, step), o); !strings.Contains(r.Err, "there is no crowd") {
			t.Errorf("%s: %q", step, r.Err)
		}
	}
}
