package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// heldSeen says how long the server process held its socket, from the trigger.
func heldSeen(r *evidence.Record) string {
	s := r.Socket
	if s.Held.Censored {
		return fmt.Sprintf("the server process still held the socket (%s) after %s", s.State, figures.Format(s.Held.Until))
	}
	got := "the server process held the socket for " + figures.Format(s.Held.Until)
	if s.Held.Bound > 100*time.Millisecond { // finwait did not get to look for that long
		got += ", or up to " + figures.Format(s.Held.Bound) + " less"
	}
	return got
}

// whyUnknown says why it is not known how long the server process held the socket. It is
// empty where that is known.
func whyUnknown(s evidence.Socket) string {
	switch {
	case !s.Observed:
		return "the server socket was not observed: " + s.Why
	case s.Held.Censored && s.Lost:
		return "the kernel dropped socket events, so that the end of the socket may be missing"
	}
	return ""
}

// surelyBeyond reports whether a lifetime was longer than the limit wherever its end lies
// within the error bound.
func surelyBeyond(s evidence.Survival, limit time.Duration) bool {
	return s.Censored || s.Until-s.Bound > limit
}

// heldWithin judges how long the server process held the socket, from the trigger.
func heldWithin(limit func(Profile) time.Duration) check {
	return func(r *evidence.Record, p Profile) Finding {
		if why := whyUnknown(r.Socket); why != "" {
			return unmeasured(evidence.Local, why)
		}
		if r.Socket.Held.Censored && r.Socket.Held.Until < limit(p) {
			return moot(heldSeen(r) + ", and the limit is " + figures.Format(limit(p)) + ": raise --patience")
		}
		want := "the server process holds the socket for at most " + figures.Format(limit(p))
		return judged(!surelyBeyond(r.Socket.Held, limit(p)), want, heldSeen(r))
	}
}

// goneWithin judges how long the server process held the socket. Where the socket was not
// observed, it judges how long TCP stayed open on the wire.
func goneWithin(limit func(Profile) time.Duration) check {
	held := heldWithin(limit)
	return func(r *evidence.Record, p Profile) Finding {
		if r.Socket.Observed || r.Ending == peers.Unseen {
			return held(r, p)
		}
		if late := !ended(r) || r.EndedAt > limit(p); late && r.Dropped > 0 {
			return unmeasured(evidence.Local, "the peer was dark and could not see whether TCP had ended before: "+endSeen(r))
		}
		return judged(ended(r) && r.EndedAt <= limit(p), "the end of TCP "+within(limit(p)), endSeen(r)+" (the socket was not observed)")
	}
}
