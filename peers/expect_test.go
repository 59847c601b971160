package peers

import (
	"context"
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
// record tells of each text that the peer sent, though it keeps no more messages.
func TestAwaitedBehindManyMessages(t *testing.T) {
	t.Parallel()
	o := serve(t, talker)
	large := strings.Repeat("f", 2*keepPayload)
	for name, script := range map[string]Script{
		"text":       {Send{Text("hello")}, AwaitText{"hello"}},
		"answer":     {Send{Text("finwait:v1 close")}, AwaitAnswer{"finwait:v1"}},
		"count":      {AwaitMessages{3*keepMessages - 1}},
		"two texts":  {Send{Text("one")}, AwaitText{"one"}, Send{Text("two")}, AwaitText{"two"}},
		"large":      {Send{Text(large)}, Send{Text("behind it")}, AwaitText{"behind it"}},
		"large text": {Send{Text(large)}, AwaitText{large}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := play(t, o, Opened(append(script, Trigger{}, Reset{})...)...)
			if !r.Triggered || r.Err != "" {
				t.Fatalf("not reached: %s", r.Err)
			}
			if len(r.Messages) != keepMessages || r.MoreMessages < keepMessages {
				t.Errorf("%d messages are kept, %d are not", len(r.Messages), r.MoreMessages)
			}
			for text := range r.Echoes {
				if at, came := r.FirstAt[text]; !came || at >= 0 {
					t.Errorf("%q came at %s, %t", text, at, came)
				}
			}
			if n, sent := r.Lengths[uint64(len(large))]; sent && n != 1 {
				t.Errorf("the large text came %d times", n)
			}
		})
	}
}

// A Close frame that no rule may miss is kept, whatever came before it.
func TestCloseBehindManyCloses(t *testing.T) {
	t.Parallel()
	var noise []Frame // no two are alike
	for i := range 600 {
		noise = append(noise, CloseFrame(uint16(3000+i), strings.Repeat("r", i%100)))
	}
	normal := CloseFrame(1000, "")
	for name, last := range map[string]Frame{
		"a code that may not be sent": CloseFrame(1005, ""),
		"1 byte":                      CloseBody([]byte{3}),
		"too long":                    CloseFrame(1000, strings.Repeat("r", 124)),
		"not UTF-8":                   CloseFrame(1000, "\xff"),
		"reserved bits":               {Opcode: OpClose, RSV: 2, Payload: normal.Payload},
		"fragmented":                  {Opcode: OpClose, Part: true, Payload: normal.Payload},
		"no code":                     CloseBody(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(append(slices.Clip(noise), last)...); c.fin(); _, _ = c.drain() })
			r := play(t, o, Opened(Trigger{}, AwaitEnd{}, Finish{})...)
			n := len(r.Closes)
			if n != keepCloses+1 || r.Closes[n-1].String() != (Close{Body: last.Payload}).String() || n+r.MoreCloses != len(noise)+1 {
				t.Errorf("%d of %d: %v", n, n+r.MoreCloses, r.Closes)
			}
		})
	}
}

// A peer that sends Close frames without end keeps few of them.
func TestManyClosesSent(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	script := Script{Trigger{}}
	for range 2 * keepFrames {
		script = append(script, Send{CloseFrame(1000, "")})
	}
	r := play(t, o, Opened(append(script, Finish{})...)...)
	if len(r.CloseSent)+r.MoreCloseSent != 2*keepFrames || len(r.CloseSent) != keepCloses || len(r.Trace) > keepFrames+8 {
		t.Errorf("%d and %d Close frames, %d events", len(r.CloseSent), r.MoreCloseSent, len(r.Trace))
	}
}

// A step that waits for a message but does not stand in the script itself would wait
// in vain: that is an error.
func TestAwaitOutsideTheScript(t *testing.T) {
	t.Parallel()
	o := serve(t, talker)
	hidden := do(func(ctx context.Context, p *Peer) error { return AwaitText{"somebody joined"}.Do(ctx, p) })
	if r := Run(t.Context(), Opened(Trigger{}, hidden), o); !strings.Contains(r.Err, "is not a step of the script itself") {
		t.Errorf("%q", r.Err)
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
		{"a pause", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Script{Pause{never}, Send{CloseFrame(1000, "")}},
			"pause 5s\nsend close 1000"},
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

// A peer that joins by ConnectAfter has a moment of its own at which it was connected.
func TestConnected(t *testing.T) {
	t.Parallel()
	const after = 100 * time.Millisecond
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	leader, other := meet(t, o, o, Script{ConnectAfter{After: after}})
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
	for _, step := range []Step{JoinBarrier{}, LeaveBarrier{}} {
		if r := Run(t.Context(), Opened(Trigger{}, step), o); !strings.Contains(r.Err, "there is no crowd") {
			t.Errorf("%s: %q", step, r.Err)
		}
	}
}
