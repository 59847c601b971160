package rules

import (
	"fmt"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// The server closes first: R14 to R20 and R40.
var (
	CodeOnWire = Rule{
		ID: "R14-sent", Req: "R14", Grade: Info, Clause: "RFC 6455, 7.1.2 and 7.4.1",
		Text: "what goes on the wire for a close with no code, or with one that the library may refuse",
		Check: func(r *evidence.Record, _ Profile) Finding {
			return measured(closeSeen(r) + "; " + endSeen(r))
		},
	}
	LegalCode = Rule{
		ID: "R15", Req: "R15", Grade: Must, Clause: "RFC 6455, 7.4.1 and 7.4.2",
		Text:  "the codes 0-999, 1004-1006 and 1015-2999 never go on the wire",
		Check: legalCode,
	}
	BoundedWait = Rule{
		ID: "R16", Req: "R16", Grade: Budget, Clause: "close timeout; RFC 6455, 7.1.1",
		Text:  "the wait for the peer's Close is bounded",
		Check: boundedWait, Limit: Profile.CloseLimit,
	}
	NotProlonged = Rule{
		ID: "R17", Req: "R17", Grade: Budget, Clause: "close timeout",
		Text:  "what the peer sends after the server's Close does not prolong the wait",
		Check: goneWithin(Profile.CloseLimit), Limit: Profile.CloseLimit,
	}
	NotBlocked = Rule{
		ID: "R18", Req: "R18", Grade: Budget, Clause: "close timeout",
		Text:  "a peer that does not read does not prolong the wait",
		Check: notBlocked, Limit: Profile.CloseLimit,
	}
	LetsGoAfterClose = Rule{
		ID: "R19", Req: "R19", Grade: Budget, Clause: "close timeout; RFC 6455, 5.5.1",
		Text:  "after a Close frame the server process lets go of the socket, whatever the peer does",
		Check: letsGoAfterClose, Limit: Profile.CloseLimit,
	}
	Terminated = Rule{
		ID: "R20", Req: "R20", Grade: Budget, Clause: "response limit",
		Text:  "after a hard kill the server process lets go of the socket at once, whatever the peer does",
		Check: goneWithin(Profile.ResponseLimit), Limit: Profile.ResponseLimit,
	}
	TerminatedSeen = Rule{
		ID: "R20-seen", Req: "R20", Grade: Info, Clause: "operational",
		Text: "how the peer sees a hard kill",
		Check: func(r *evidence.Record, _ Profile) Finding {
			return measured(closeSeen(r) + "; " + endSeen(r))
		},
	}
	MessageFirst = Rule{
		ID: "R40", Req: "R40", Grade: Must, Clause: "RFC 6455, 6.1",
		Text:  "a message sent before a close is delivered before it",
		Check: messageFirst,
	}
)

// SendsCode is R14: the Close frame carries the code and reason that the
// application chose.
func SendsCode(code int, reason string) Rule {
	return Rule{
		ID: "R14", Req: "R14", Grade: Must, Clause: "RFC 6455, 7.1.2",
		Text: "the server's Close carries the code and reason that its application chose",
		Check: func(r *evidence.Record, _ Profile) Finding {
			want := fmt.Sprintf("close %d %q", code, reason)
			switch {
			case !r.Has[evidence.ChosenCode]:
				return unmeasured(evidence.ChosenCode, "the command line that closes has no {code}; "+closeSeen(r))
			case reason != "" && !r.Has[evidence.ChosenReason]:
				return unmeasured(evidence.ChosenReason, "the command line that closes has no {reason}; "+closeSeen(r))
			}
			switch {
			case len(r.Closes) == 0 && cannotSeeEnd(r):
				return unmeasuredEnd(r)
			case len(r.Closes) == 0:
				return breached(want, "no Close frame; "+endSeen(r))
			}
			got, ok := r.Closes[0].Code()
			return judged(ok && got == code && r.Closes[0].Reason() == reason, want, closeSeen(r))
		},
	}
}

// SendsCodeUnlessRefused is R14 for a code that a library may refuse. The library then
// reports an error to its application, as a browser does (close() throws
// InvalidAccessError for all but 1000 and 3000 to 4999). No Close frame comes until the
// peer closes by itself and the server answers that.
func SendsCodeUnlessRefused(code int, reason string) Rule {
	refused := fmt.Sprintf("the library refused to close with %d, and the connection went on", code)
	return onlyWhere([]Rule{SendsCode(code, reason)}, refused, func(r *evidence.Record) bool {
		if len(r.Closes) == 0 || len(r.CloseSent) == 0 || r.Closes[0].At <= r.CloseSent[0].At {
			return true
		}
		got, _ := r.Closes[0].Code()
		return got == code
	})[0]
}

func legalCode(r *evidence.Record, _ Profile) Finding {
	const want = "a code that may be sent, or none"
	if len(r.Closes) == 0 {
		return moot("no Close frame")
	}
	for _, c := range r.Closes {
		code, ok := c.Code()
		if ok && !peers.MayBeSent(code) {
			return breached(want, c.String())
		}
	}
	return kept(want, closeSeen(r))
}

func boundedWait(r *evidence.Record, p Profile) Finding {
	if len(r.Closes) == 0 && r.Ending == peers.Open {
		return moot("the server did not close: no Close frame; " + endSeen(r))
	}
	return goneWithin(Profile.CloseLimit)(r, p)
}

func notBlocked(r *evidence.Record, p Profile) Finding {
	if !r.Socket.Observed && !ended(r) {
		return unmeasured(evidence.Local, whyUnknown(r.Socket)+unreadEnd)
	}
	return goneWithin(Profile.CloseLimit)(r, p)
}

func letsGoAfterClose(r *evidence.Record, p Profile) Finding {
	f := heldWithin(Profile.CloseLimit)(r, p)
	if f.Outcome != Unmeasured && len(r.Closes) == 0 && len(r.CloseSent) == 0 {
		return moot("no Close frame; " + heldSeen(r))
	}
	return f
}

func messageFirst(r *evidence.Record, _ Profile) Finding {
	const want = `the text "finwait:opened", then the Close frame`
	if at, came := r.FirstAt[peers.OpenedText]; came {
		return judged(r.AfterClose == 0 && len(r.Closes) > 0, want, fmt.Sprintf("the text at %s; %s", figures.Format(at), closeSeen(r)))
	}
	if cannotSeeEnd(r) {
		return unmeasuredEnd(r)
	}
	return breached(want, `no text "finwait:opened"; `+closeSeen(r)+"; "+endSeen(r))
}
