package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// heldSeen tells how long the process held the server's socket.
func heldSeen(r *evidence.Record) string {
	s := r.Socket
	if s.Held.Censored {
		return fmt.Sprintf("server socket %s, still held by the process after %s", s.State, figures.Format(s.Held.Until))
	}
	got := "the process let go of the server socket at " + figures.Format(s.Held.Until)
	if s.Held.Bound > 100*time.Millisecond { // finwait, or its host, did not look for a while
		got += ", " + figures.Format(s.Held.Bound) + " earlier at most"
	}
	return got
}

// whyUnknown tells why it is not known how long the process held the socket; empty:
// it is known.
func whyUnknown(s evidence.Socket) string {
	switch {
	case !s.Observed:
		return "the server socket was not observed: " + s.Why
	case s.Held.Censored && s.Lost:
		return "the kernel dropped destroy events: the end may be one of them"
	}
	return ""
}

// surelyBeyond tells whether a life is known to have lasted beyond the limit: also its
// earliest possible end was later.
func surelyBeyond(s evidence.Survival, limit time.Duration) bool {
	return s.Censored || s.Until-s.Bound > limit
}

// heldWithin judges how long the process held the socket, from the trigger.
func heldWithin(limit func(Profile) time.Duration) check {
	return func(r *evidence.Record, p Profile) Finding {
		if why := whyUnknown(r.Socket); why != "" {
			return unmeasured(evidence.Local, why)
		}
		if r.Socket.Held.Censored && r.Socket.Held.Until < limit(p) {
			return moot(heldSeen(r) + ", and the limit is " + figures.Format(limit(p)) + ": raise --patience")
		}
		return judged(!surelyBeyond(r.Socket.Held, limit(p)), "the process lets go "+within(limit(p)), heldSeen(r))
	}
}

// goneWithin judges how long the process held the socket or, where that is not
// observed, how long TCP stayed open on the wire.
func goneWithin(limit func(Profile) time.Duration) check {
	held := heldWithin(limit)
	return func(r *evidence.Record, p Profile) Finding {
		if r.Socket.Observed || r.Ending == peers.Unseen {
			return held(r, p)
		}
		if late := !ended(r) || r.EndedAt > limit(p); late && r.Dropped > 0 {
			return unmeasured(evidence.Local, "the peer was dark, and could not see whether TCP had ended before: "+endSeen(r))
		}
		return judged(ended(r) && r.EndedAt <= limit(p), "the end of TCP "+within(limit(p)), endSeen(r)+" (the socket was not observed)")
	}
}
