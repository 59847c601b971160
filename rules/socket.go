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
	until := figures.Format(s.Held.Until)
	switch {
	case s.Held.Censored && s.State == "": // a probe tells no state
		return "the server process still held the socket after " + until
	case s.Held.Censored:
		return fmt.Sprintf("the server process still held the socket (%s) after %s", s.State, until)
	case s.Held.Interval():
		return "the server process let go of the socket " + s.Held.String()
	}
	return "the server process held the socket for " + until
}

// stillHeld reports whether the server process held the socket as long as finwait looked, as far as
// is known. After a peer's own FIN no probe tells.
func stillHeld(r *evidence.Record) bool {
	s := r.Socket
	return s.Observed && s.Held.Censored && (s.By != evidence.Probes || r.GaveUp)
}

// decides reports whether a lifetime tells if the limit was kept. One that ends at the limit at the
// latest kept it, where the latest may be later by one fiftieth of the limit or 100 ms: the answer to
// a probe at the limit takes its time. So did one whose whole error bound is so small.
func decides(s evidence.Survival, limit time.Duration) bool {
	if s.Censored {
		return s.Until >= limit
	}
	slack := max(limit/50, 100*time.Millisecond)
	return s.Until <= limit+slack || surelyBeyond(s, limit) || s.Bound <= slack
}

// whyUndecided says why a lifetime does not tell whether the limit was kept.
func whyUndecided(r *evidence.Record, limit time.Duration) string {
	why := "whether it was more than the limit of " + figures.Format(limit) + " is not known"
	if r.Socket.By == evidence.Probes && r.FIN != nil && r.PeerFIN != nil {
		why += ": after the FIN of both sides the wire does not tell"
	}
	return why
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
		limit, held := limit(p), r.Socket.Held
		switch why := whyUnknown(r.Socket); {
		case why != "":
			return unmeasured(evidence.Local, why)
		case held.Censored && held.Until < limit && (r.Socket.By != evidence.Probes || p.Patience < limit):
			return moot(heldSeen(r) + ", and the limit is " + figures.Format(limit) + ": raise --patience")
		case !decides(held, limit):
			return unmeasured(evidence.Local, heldSeen(r)+"; "+whyUndecided(r, limit))
		}
		want := "the server process holds the socket for at most " + figures.Format(limit)
		return judged(!surelyBeyond(held, limit), want, heldSeen(r))
	}
}

// goneWithin judges how long the server process held the socket. Where that was not observed,
// TCP that is still open after the limit is a breach too, unless the server's kernel did not answer
// a probe either: something on the way may drop RST. The end of TCP does not prove that the process
// let go of the socket.
func goneWithin(limit func(Profile) time.Duration) check {
	held := heldWithin(limit)
	return func(r *evidence.Record, p Profile) Finding {
		late := !ended(r) || r.EndedAt > limit(p)
		unanswered := r.Ending == peers.Open && len(r.Socket.Looks) > 0
		switch {
		case r.Socket.Observed, r.Ending == peers.Unseen:
			return held(r, p)
		case late && r.Dropped > 0:
			return unmeasured(evidence.Local, "the peer was dark and could not see whether TCP had ended before: "+endSeen(r))
		case !late, unanswered:
			return unmeasured(evidence.Local, whyUnknown(r.Socket)+"; "+endSeen(r))
		}
		return breached("the end of TCP "+within(limit(p)), endSeen(r)+" (the socket was not observed)")
	}
}
