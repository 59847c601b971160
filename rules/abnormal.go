package rules

import (
	"fmt"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
)

// TCP ends without a closing handshake: R31 to R33.
var (
	LetsGoAfterTCPEnd = Rule{
		ID: "R31", Req: "R31", Grade: Budget, Clause: "close timeout",
		Text:  "when the peer's TCP has ended the server process lets go of the socket; nothing stays in CLOSE_WAIT",
		Check: heldWithin(Profile.CloseLimit), Limit: Profile.CloseLimit,
	}
	EndsAfterFIN = Rule{
		ID: "R31-wire", Req: "R31", Grade: Budget, Clause: "close timeout",
		Text:  "when the peer has sent FIN, or a close_notify under TLS, the server ends TCP too",
		Check: endsAfterFIN,
	}
	Lifetime = Rule{
		ID: "R31-life", Req: "R31", Grade: Info, Clause: "operational",
		Text:  "how long the server keeps the connection",
		Check: lifetime,
	}
	LifetimeUnread = Rule{
		ID: Lifetime.ID, Req: Lifetime.Req, Grade: Info, Clause: Lifetime.Clause,
		Text:  "how long the server keeps the connection of a peer that does not read",
		Check: lifetimeUnread,
	}
	Keepalive = Rule{
		ID: "R32", Req: "R32", Grade: Info, Clause: "operational",
		Text:  "how long it takes until a keepalive, if there is one, ends the connection of a vanished peer",
		Check: lifetime,
	}
	KeepaliveDeclared = Rule{
		ID: "R32-declared", Req: "R32", Grade: Budget, Clause: "declared ping interval",
		Text:  "the server process lets go of a vanished peer within two ping intervals",
		Check: keepaliveDeclared, Limit: Profile.PingLimit,
	}
	Outage = Rule{
		ID: "R32-outage", Req: "R32", Grade: Info, Clause: "operational",
		Text:  "whether the connection survives an outage",
		Check: outage,
	}
	LetsGoOfVanished = Rule{
		ID: "R33", Req: "R33", Grade: Budget, Clause: "close timeout",
		Text:  "the server process lets go of a peer that vanished after a Close frame was sent or received",
		Check: heldWithin(Profile.CloseLimit), Limit: Profile.CloseLimit,
	}
)

func endsAfterFIN(r *evidence.Record, p Profile) Finding {
	want := "the end of TCP " + within(p.CloseLimit())
	if cannotSeeEnd(r) {
		return unmeasuredEnd(r)
	}
	return judged(ended(r) && r.EndedAt <= p.CloseLimit(), want, endSeen(r))
}

func lifetime(r *evidence.Record, _ Profile) Finding {
	switch {
	case r.Socket.Observed:
		return measured(heldSeen(r))
	case cannotSeeEnd(r):
		return unmeasured(evidence.Local, whyUnknown(r.Socket)+"; "+endSeen(r))
	}
	return measured(endSeen(r))
}

// unreadEnd says why a peer that does not read cannot tell that TCP is open: the server's FIN
// stands behind what it has not read.
const unreadEnd = "; a peer that does not read sees no FIN"

func lifetimeUnread(r *evidence.Record, p Profile) Finding {
	if !r.Socket.Observed && !ended(r) {
		return unmeasured(evidence.Local, whyUnknown(r.Socket)+unreadEnd)
	}
	return lifetime(r, p)
}

func keepaliveDeclared(r *evidence.Record, p Profile) Finding {
	if p.PingInterval == 0 {
		return moot("no ping interval is declared")
	}
	return heldWithin(Profile.PingLimit)(r, p)
}

func outage(r *evidence.Record, _ Profile) Finding {
	if len(r.CloseSent) > 0 && len(r.Closes) > 0 && r.Closes[0].At >= r.CloseSent[0].At {
		return measured(fmt.Sprintf("survived: %s, %s after the peer's", r.Closes[0], figures.Format(r.Closes[0].At-r.CloseSent[0].At)))
	}
	got := "did not survive: " + endSeen(r)
	if r.Socket.Observed {
		got += "; " + heldSeen(r)
	}
	return measured(got)
}

// LastEcho measures whether a text that was sent just before FIN is echoed.
func LastEcho(text string) Rule {
	return Rule{
		ID: "R31-echo", Req: "R31", Grade: Info, Clause: "operational",
		Text: "whether what was sent before FIN is still answered",
		Check: func(r *evidence.Record, _ Profile) Finding {
			if at, came := r.FirstAt[text]; came {
				return measured("echoed at " + figures.Format(at))
			}
			return measured("not echoed; " + endSeen(r))
		},
	}
}
