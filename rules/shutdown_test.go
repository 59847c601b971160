package rules

import (
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// TestWhoIsTold: the crowd is counted as the user gave it, beside the peer that asks.
func TestWhoIsTold(t *testing.T) {
	peer := func(ending peers.Ending, closes int) *evidence.Record {
		return &evidence.Record{Record: &peers.Record{Status: 101, Ending: ending, Closes: make([]peers.Close, closes)}}
	}
	for name, c := range map[string]struct {
		asks      *evidence.Record
		crowd     []*evidence.Record
		outcome   Outcome
		want, got string
	}{
		"all":          {peer(peers.FIN, 1), []*evidence.Record{peer(peers.FIN, 1), peer(peers.FIN, 1)}, Kept, "a Close frame for each of the 2 in the crowd and the peer that asked", "3 of 3 were told"},
		"not the last": {peer(peers.FIN, 1), []*evidence.Record{peer(peers.FIN, 1), peer(peers.RST, 0)}, Breached, "a Close frame for each of the 2 in the crowd and the peer that asked", "2 of 3 were told, 1 saw none (rst)"},
		"who asked":    {peer(peers.FIN, 0), []*evidence.Record{peer(peers.Unseen, 0)}, Breached, "a Close frame for the peer that asked, the only one that could see it", "0 of 1 were told, 1 saw none (fin)"},
		"the crowd":    {peer(peers.Unseen, 0), []*evidence.Record{peer(peers.FIN, 1)}, Kept, "a Close frame for the one in the crowd", "1 of 1 were told"},
		"some":         {peer(peers.FIN, 1), []*evidence.Record{peer(peers.FIN, 1), peer(peers.FIN, 1), peer(peers.Unseen, 0)}, Kept, "a Close frame for each of the 2 in the crowd that could see it and the peer that asked", "3 of 3 were told"},
		"nobody":       {peer(peers.Unseen, 0), nil, Moot, "", "no peer that could see a Close frame"},
	} {
		c.asks.Crowd = c.crowd
		if f := EveryoneWarned.Check(c.asks, Profile{}); f.Outcome != c.outcome || f.Want != c.want || f.Got != c.got {
			t.Errorf("%s: %s, want %q, got %q", name, f.Outcome, f.Want, f.Got)
		}
	}
}

// TestLetsGoWithoutClose: R19 is about what follows a Close frame.
func TestLetsGoWithoutClose(t *testing.T) {
	one := []peers.Close{{}}
	for name, c := range map[string]struct {
		sent, came []peers.Close
		want       Outcome
	}{"none": {nil, nil, Moot}, "the peer's": {one, nil, Breached}, "the server's": {nil, one, Breached}, "both": {one, one, Breached}} {
		r := &evidence.Record{Record: &peers.Record{CloseSent: c.sent, Closes: c.came}}
		r.Socket = evidence.Socket{Observed: true, Held: evidence.Survival{Until: 35e9, Censored: true}}
		if f := LetsGoAfterClose.Check(r, Profile{CloseTimeout: 1e9}); f.Outcome != c.want {
			t.Errorf("%s: %s, %s", name, f.Outcome, f.Got)
		}
	}
}
