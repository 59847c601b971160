package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// TestEventBeforeTheAnswer: an event with the server's own code is judged alike
// however busy the host is, and is moot only where the peer waits by its script.
func TestEventBeforeTheAnswer(t *testing.T) {
	start, own := time.Now(), 1000
	event := evidence.AppEvent{Code: &own, At: &start}
	for _, c := range []struct {
		answered time.Duration
		want     Outcome
	}{
		{time.Millisecond, Breached}, {80 * time.Millisecond, Breached}, {time.Second, Moot},
	} {
		r := &evidence.Record{Record: &peers.Record{Trigger: start}, Events: evidence.AppEvents{Asked: true, List: []evidence.AppEvent{event}}}
		r.Socket.Observed = true
		r.CloseSent = []peers.Close{{At: c.answered, Frame: peers.Header{Fin: true, Opcode: peers.OpClose, Length: 2}, Body: []byte{0x0f, 0xa0}}}
		if got := EventCode.Check(r, Profile{}).Outcome; got != c.want {
			t.Errorf("answered after %s: %v, want %v", c.answered, got, c.want)
		}
	}
}

// closeFrame is a Close frame at an instant since the trigger.
func closeFrame(at time.Duration, f peers.Frame) peers.Close {
	return peers.Close{At: at, Frame: peers.Header{Fin: true, Opcode: peers.OpClose, Length: uint64(len(f.Payload))}, Body: f.Payload}
}

// TestWhichEvent: what the event must say depends on the peer's Close frame, and
// is not judged where that does not determine it.
func TestWhichEvent(t *testing.T) {
	normal, illegal, none := peers.CloseFrame(1000, ""), peers.CloseFrame(1006, ""), peers.CloseBody(nil)
	for _, c := range []struct {
		name              string
		sent              []peers.Frame
		dropped           uint32 // while the peer was dark
		code, empty, lost Outcome
	}{
		{"a code", []peers.Frame{normal}, 0, Breached, Moot, Moot},
		{"no code", []peers.Frame{none}, 0, Moot, Breached, Moot},
		{"no Close", nil, 0, Moot, Moot, Breached},
		{"an illegal code", []peers.Frame{illegal}, 0, Moot, Moot, Moot},
		{"a reason that is not UTF-8", []peers.Frame{peers.CloseFrame(1000, "\xff")}, 0, Moot, Moot, Moot},
		{"back from the dark", []peers.Frame{normal}, 2, Moot, Moot, Moot},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong := 4567
			r := &evidence.Record{Record: &peers.Record{Dropped: c.dropped}, Events: evidence.AppEvents{Asked: true, List: []evidence.AppEvent{{Code: &wrong}}}}
			for _, f := range c.sent {
				r.CloseSent = append(r.CloseSent, closeFrame(time.Millisecond, f))
			}
			for rule, want := range map[*Rule]Outcome{&EventCode: c.code, &EventNoCode: c.empty, &EventLost: c.lost} {
				if got := rule.Check(r, Profile{}); got.Outcome != want {
					t.Errorf("%s: %s (%s), want %s", rule.ID, got.Outcome, got.Got, want)
				}
			}
		})
	}
}

// TestPreconditions: a close that the server did not carry out, and a Close frame
// that it was free not to answer, are not judged by what would follow.
func TestPreconditions(t *testing.T) {
	sent, refusal := closeFrame(0, peers.CloseFrame(1000, "")), closeFrame(time.Millisecond, peers.CloseFrame(1002, ""))
	for _, c := range []struct {
		name             string
		rec              peers.Record
		closed, answered Outcome
	}{
		{"nothing", peers.Record{Ending: peers.Open, CloseSent: []peers.Close{sent}}, Moot, Moot},
		{"TCP alone", peers.Record{Ending: peers.RST, CloseSent: []peers.Close{sent}}, Breached, Moot},
		{"an echo", peers.Record{CloseSent: []peers.Close{sent}, Closes: []peers.Close{sent}}, Breached, Breached},
		{"a failure", peers.Record{CloseSent: []peers.Close{sent}, Closes: []peers.Close{refusal}}, Breached, Moot},
	} {
		c.rec.Status = 101
		r := &evidence.Record{Record: &c.rec, Events: evidence.AppEvents{Asked: true}}
		if r.Ending == peers.Open {
			r.Socket.Observed = true
		}
		if got := IfClosed(OneEvent)[0].Check(r, Profile{}); got.Outcome != c.closed {
			t.Errorf("%s, if closed: %s (%s), want %s", c.name, got.Outcome, got.Got, c.closed)
		}
		if got := IfAnswered(OneEvent)[0].Check(r, Profile{}); got.Outcome != c.answered {
			t.Errorf("%s, if answered: %s (%s), want %s", c.name, got.Outcome, got.Got, c.answered)
		}
	}
}

// TestNotWaitedFor: who ends TCP behind the own Close tells rightly that none
// came, and wrongly that the peer's was its own.
func TestNotWaitedFor(t *testing.T) {
	rst := 2 * time.Millisecond
	own, answer := closeFrame(0, peers.CloseFrame(1008, "")), closeFrame(time.Millisecond, peers.CloseFrame(1008, "x"))
	for _, c := range []struct {
		name string
		told int
		rec  peers.Record
		want Outcome
	}{
		{"FIN before the answer", 1006, peers.Record{Closes: []peers.Close{own}, Ending: peers.FIN}, Moot},
		{"RST behind the answer", 1006, peers.Record{Closes: []peers.Close{own}, Ending: peers.FIN, EndedAt: rst, RST: &rst}, Moot},
		{"FIN behind the answer", 1006, peers.Record{Closes: []peers.Close{own}, Ending: peers.FIN, EndedAt: rst}, Breached},
		{"the own code", 1000, peers.Record{Closes: []peers.Close{own}, Ending: peers.FIN}, Breached},
		{"the peer closed first", 1006, peers.Record{Closes: []peers.Close{closeFrame(rst, peers.CloseFrame(1000, ""))}, Ending: peers.FIN, EndedAt: rst, RST: &rst}, Breached},
	} {
		c.rec.CloseSent = []peers.Close{answer}
		r := &evidence.Record{Record: &c.rec, Events: evidence.AppEvents{Asked: true, List: []evidence.AppEvent{{Code: &c.told}}}}
		if got := EventCode.Check(r, Profile{}); got.Outcome != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, got.Outcome, got.Got, c.want)
		}
	}
}
