package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// TestEventBeforeTheAnswer: an event with the server's own code is judged alike
// however busy the host is, and is moot only where the peer waits by its script.
func TestEventBeforeTheAnswer(t *testing.T) {
	start, own := time.Now(), 1000
	event := harness.AppEvent{Code: &own, At: &start}
	for _, c := range []struct {
		answered time.Duration
		want     harness.Outcome
	}{
		{time.Millisecond, harness.Breached}, {80 * time.Millisecond, harness.Breached}, {time.Second, harness.Moot},
	} {
		r := &harness.Record{Record: &peers.Record{Trigger: start}, Events: harness.AppEvents{Asked: true, List: []harness.AppEvent{event}}}
		r.Socket.Observed = true
		r.CloseSent = []peers.Close{{At: c.answered, Frame: peers.Header{Fin: true, Opcode: peers.OpClose, Length: 2}, Body: []byte{0x0f, 0xa0}}}
		if got := EventCode.Check(r, harness.Profile{}).Outcome; got != c.want {
			t.Errorf("answered after %s: %v, want %v", c.answered, got, c.want)
		}
	}
}
