package evidence

import (
	"cmp"
	"slices"
	"time"

	"github.com/finwait/finwait/peers"
)

// Combine makes of looks at one kind of connection what they say about how long the server's
// process held its socket. Each look may be of a connection of its own, because a look disturbs.
// The lifetime ends between the latest look that found the socket held and the first one after it
// that did not: it is interval-censored. If no look found it let go, it is censored at the latest
// look that found it held. Looks that do not know prove nothing. Why is set where nothing is known.
//
// Connections differ: where one was let go before another was still held, the latest that was
// held counts.
func Combine(looks []peers.Look) Socket {
	looks = slices.Clone(looks)
	slices.SortStableFunc(looks, func(a, b peers.Look) int { return cmp.Compare(a.Asked, b.Asked) })
	s := Socket{By: Probes, Looks: looks, Why: "no probe had an answer"}
	var held time.Duration
	for _, l := range looks {
		if l.State == peers.Held {
			held, s.Observed = max(held, l.Asked), true
		}
	}
	letGo, seen := time.Duration(0), false
	for _, l := range looks {
		if l.State == peers.LetGo && l.Answered > held && (!seen || l.Answered < letGo) {
			letGo, seen = l.Answered, true
		}
	}
	if s.Observed = s.Observed || seen; !s.Observed {
		return s
	}
	s.Accepted, s.Why, s.Held = true, "", Survival{Until: held, Censored: true}
	if seen {
		s.Held = Survival{Until: letGo, Bound: letGo - held}
	}
	return s
}
