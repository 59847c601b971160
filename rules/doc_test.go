package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// TestHeldBeyondPatience: a socket that was held for as long as was looked, but
// for less than the limit, is not judged.
func TestHeldBeyondPatience(t *testing.T) {
	r := &harness.Record{Record: &peers.Record{}}
	r.Socket.Observed, r.Socket.Held.Censored, r.Socket.Held.Until = true, true, 35*time.Second
	for _, c := range []struct {
		interval time.Duration
		want     harness.Outcome
	}{{20 * time.Second, harness.Moot}, {5 * time.Second, harness.Breached}} {
		if got := KeepaliveDeclared.Check(r, harness.Profile{PingInterval: c.interval}); got.Outcome != c.want {
			t.Errorf("ping interval %s: %s, %s; want %s", c.interval, got.Outcome, got.Got, c.want)
		}
	}
}

// TestLostEvents: a socket whose end the kernel may have told in vain is not
// judged, in a crowd neither.
func TestLostEvents(t *testing.T) {
	lost := harness.Socket{Observed: true, Lost: true, Held: harness.Survival{Until: 35 * time.Second, Censored: true}}
	r := &harness.Record{Record: &peers.Record{}, Socket: lost}
	r.Crowd = []*harness.Record{r}
	for _, rule := range []harness.Rule{LetsGoAfterClose, CrowdReleased} {
		if got := rule.Check(r, harness.Profile{CloseTimeout: time.Second}); got.Outcome != harness.Unmeasured {
			t.Errorf("%s: %s, %s", rule.ID, got.Outcome, got.Got)
		}
	}
}
