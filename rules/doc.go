// Package rules holds the requirements as checks on a record, one file per
// section of docs/requirements.md. A check keeps no state, and says what was
// seen in every case.
package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// check is a rule's verdict on a record.
type check = func(*evidence.Record, Profile) Finding

func kept(want, got string) Finding {
	return Finding{Outcome: Kept, Want: want, Got: got}
}

func breached(want, got string) Finding {
	return Finding{Outcome: Breached, Want: want, Got: got}
}

func judged(ok bool, want, got string) Finding {
	if ok {
		return kept(want, got)
	}
	return breached(want, got)
}

func measured(got string) Finding {
	return Finding{Outcome: Measured, Got: got}
}

func moot(got string) Finding {
	return Finding{Outcome: Moot, Got: got}
}

func unmeasured(c evidence.Capability, got string) Finding {
	return Finding{Outcome: Unmeasured, Missing: c, Got: got}
}

// within is a limit in words.
func within(d time.Duration) string { return "within " + figures.Format(d) }

// closeSeen tells the server's first Close frame.
func closeSeen(r *evidence.Record) string {
	if len(r.Closes) == 0 {
		return "no Close frame"
	}
	return fmt.Sprintf("%s at %s", r.Closes[0], figures.Format(r.Closes[0].At))
}

// endSeen tells how and when the server ended TLS and TCP.
func endSeen(r *evidence.Record) string {
	if r.CloseNotify != nil {
		return "close_notify at " + figures.Format(*r.CloseNotify) + ", " + tcpSeen(r)
	}
	return tcpSeen(r)
}

func tcpSeen(r *evidence.Record) string {
	switch r.Ending {
	case peers.Open:
		return "TCP still open after " + figures.Format(r.EndedAt)
	case peers.Unseen:
		return "the end of TCP could not be seen by this peer"
	case peers.Broken:
		return "the connection broke at " + figures.Format(r.EndedAt)
	}
	text := map[peers.Ending]string{peers.FIN: "FIN", peers.RST: "RST"}[r.Ending] + " at " + figures.Format(r.EndedAt)
	if r.Ending == peers.FIN && r.RST != nil {
		text += ", then RST at " + figures.Format(*r.RST)
	}
	return text
}

// ended tells whether the server ended TCP.
func ended(r *evidence.Record) bool { return r.Ending == peers.FIN || r.Ending == peers.RST }

// hidden tells whether the peer could not see how the server ended TCP, if it did.
func hidden(r *evidence.Record) bool { return r.Ending == peers.Unseen }

// notSeen is the finding of a rule on what the peer could not see.
func notSeen(r *evidence.Record) Finding {
	return unmeasured(evidence.Sight, closeSeen(r)+"; "+endSeen(r))
}

// closing is when a server that ended TCP began with it: under TLS by its
// close_notify, for whose answer it may wait (RFC 6455, 7.1.1: "cleanly closes
// the TCP connection, as well as the TLS session").
func closing(r *evidence.Record) time.Duration {
	if r.CloseNotify != nil {
		return min(*r.CloseNotify, r.EndedAt)
	}
	return r.EndedAt
}

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

// unseen tells why it is not known how long the process held the socket; empty:
// it is known.
func unseen(s evidence.Socket) string {
	switch {
	case !s.Observed:
		return "the server socket was not observed: " + s.Why
	case s.Held.Censored && s.Lost:
		return "the kernel dropped destroy events: the end may be one of them"
	}
	return ""
}

// lateFor tells whether a life is known to have lasted beyond the limit: also its
// earliest possible end was later.
func lateFor(s evidence.Survival, limit time.Duration) bool {
	return s.Censored || s.Until-s.Bound > limit
}

// letsGo judges how long the process held the socket, from the trigger.
func letsGo(limit func(Profile) time.Duration) check {
	return func(r *evidence.Record, p Profile) Finding {
		if why := unseen(r.Socket); why != "" {
			return unmeasured(evidence.Local, why)
		}
		if r.Socket.Held.Censored && r.Socket.Held.Until < limit(p) {
			return moot(heldSeen(r) + ", and the limit is " + figures.Format(limit(p)) + ": raise --patience")
		}
		return judged(!lateFor(r.Socket.Held, limit(p)), "the process lets go "+within(limit(p)), heldSeen(r))
	}
}
