package rules

import (
	"testing"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// TestWhoIsTold: the crowd is counted as the user gave it, beside the peer that asks.
func TestWhoIsTold(t *testing.T) {
	peer := func(ending peers.Ending, closes int) *harness.Record {
		return &harness.Record{Record: &peers.Record{Status: 101, Ending: ending, Closes: make([]peers.Close, closes)}}
	}
	for name, c := range map[string]struct {
		asks      *harness.Record
		crowd     []*harness.Record
		outcome   harness.Outcome
		want, got string
	}{
		"all":          {peer(peers.FIN, 1), []*harness.Record{peer(peers.FIN, 1), peer(peers.FIN, 1)}, harness.Kept, "a Close frame for each of the 2 in the crowd and the peer that asked", "3 of 3 were told"},
		"not the last": {peer(peers.FIN, 1), []*harness.Record{peer(peers.FIN, 1), peer(peers.RST, 0)}, harness.Breached, "a Close frame for each of the 2 in the crowd and the peer that asked", "2 of 3 were told, 1 saw none (rst)"},
		"who asked":    {peer(peers.FIN, 0), []*harness.Record{peer(peers.Unseen, 0)}, harness.Breached, "a Close frame for the peer that asked, the only one that could see it", "0 of 1 were told, 1 saw none (fin)"},
		"the crowd":    {peer(peers.Unseen, 0), []*harness.Record{peer(peers.FIN, 1)}, harness.Kept, "a Close frame for the one in the crowd", "1 of 1 were told"},
		"some":         {peer(peers.FIN, 1), []*harness.Record{peer(peers.FIN, 1), peer(peers.FIN, 1), peer(peers.Unseen, 0)}, harness.Kept, "a Close frame for each of the 2 in the crowd that could see it and the peer that asked", "3 of 3 were told"},
		"nobody":       {peer(peers.Unseen, 0), nil, harness.Moot, "", "no peer that could see a Close frame"},
	} {
		c.asks.Crowd = c.crowd
		if f := EveryoneWarned.Check(c.asks, harness.Profile{}); f.Outcome != c.outcome || f.Want != c.want || f.Got != c.got {
			t.Errorf("%s: %s, want %q, got %q", name, f.Outcome, f.Want, f.Got)
		}
	}
}

// TestLetsGoWithoutClose: R19 is about what follows a Close frame.
func TestLetsGoWithoutClose(t *testing.T) {
	one := []peers.Close{{}}
	for name, c := range map[string]struct {
		sent, came []peers.Close
		want       harness.Outcome
	}{"none": {nil, nil, harness.Moot}, "the peer's": {one, nil, harness.Breached}, "the server's": {nil, one, harness.Breached}, "both": {one, one, harness.Breached}} {
		r := &harness.Record{Record: &peers.Record{CloseSent: c.sent, Closes: c.came}}
		r.Socket = harness.Socket{Observed: true, Held: harness.Survival{Until: 35e9, Censored: true}}
		if f := LetsGoAfterClose.Check(r, harness.Profile{CloseTimeout: 1e9}); f.Outcome != c.want {
			t.Errorf("%s: %s, %s", name, f.Outcome, f.Got)
		}
	}
}
