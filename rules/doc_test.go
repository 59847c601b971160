package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// TestHeldBeyondPatience: a socket that was held for as long as was looked, but
// for less than the limit, is not judged.
func TestHeldBeyondPatience(t *testing.T) {
	r := &evidence.Record{Record: &peers.Record{}}
	r.Socket.Observed, r.Socket.Held.Censored, r.Socket.Held.Until = true, true, 35*time.Second
	for _, c := range []struct {
		interval time.Duration
		want     Outcome
	}{{20 * time.Second, Moot}, {5 * time.Second, Breached}} {
		if got := KeepaliveDeclared.Check(r, Profile{PingInterval: c.interval}); got.Outcome != c.want {
			t.Errorf("ping interval %s: %s, %s; want %s", c.interval, got.Outcome, got.Got, c.want)
		}
	}
}

// TestLostEvents: a socket whose end the kernel may have told in vain is not
// judged, in a crowd neither.
func TestLostEvents(t *testing.T) {
	lost := evidence.Socket{Observed: true, Lost: true, Held: evidence.Survival{Until: 35 * time.Second, Censored: true}}
	r := &evidence.Record{Record: &peers.Record{}, Socket: lost}
	r.Crowd = []*evidence.Record{r}
	for _, rule := range []Rule{LetsGoAfterClose, CrowdReleased} {
		if got := rule.Check(r, Profile{CloseTimeout: time.Second}); got.Outcome != Unmeasured {
			t.Errorf("%s: %s, %s", rule.ID, got.Outcome, got.Got)
		}
	}
}
