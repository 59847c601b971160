package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/evidence"
)

// The server fails the connection: R27 to R30.
var (
	ClosesAfterViolation = Rule{
		ID: "R27-close", Req: "R27", Grade: Must, Clause: "RFC 6455, 7.1.7",
		Text:  "after a violation the server closes TCP",
		Check: closesAfterViolation,
	}
	FailsWithClose = Rule{
		ID: "R27-send", Req: "R27", Grade: Should, Clause: "RFC 6455, 7.1.7",
		Text:  "a server that fails the connection sends a Close frame first",
		Check: failsWithClose,
	}
	FailsAtOnce = Rule{
		ID: "R28-wait", Req: "R28", Grade: Budget, Clause: "RFC 6455, 7.1.7",
		Text:  "after a violation the server does not wait for the peer's Close: TCP ends at once",
		Check: failsAtOnce,
	}
	LetsGoAfterViolation = Rule{
		ID: "R28-held", Req: "R28", Grade: Budget, Clause: "close timeout; RFC 6455, 7.1.7",
		Text:  "after a violation the server process lets go of the socket, whatever the peer does",
		Check: heldWithin(Profile.CloseLimit), Limit: Profile.CloseLimit,
	}
	HandshakeStatus = Rule{
		ID: "R30", Req: "R30", Grade: Should, Clause: "RFC 6455, 7.2.2 and 10.7",
		Text:  "a handshake that fails is answered with an HTTP status before TCP ends",
		Check: handshakeStatus,
	}
)

// NotProcessed is R28: this text, sent after the violation, is not echoed.
func NotProcessed(text string) Rule {
	return Rule{
		ID: "R28-process", Req: "R28", Grade: Must, Clause: "RFC 6455, 7.1.7",
		Text:  "after a violation nothing more is processed",
		Check: notEchoed(text),
	}
}

// FailureCode is R29: the Close frame, where there is one, has one of these codes.
func FailureCode(clause string, codes ...int) Rule {
	return Rule{
		ID: "R29", Req: "R29", Grade: Should, Clause: clause,
		Text:  "the code of the Close frame names the violation",
		Check: failureCode(codes),
	}
}

// RefusedAsTooBig is R29 for a message of so many bytes, which a server need not
// take.
func RefusedAsTooBig(bytes uint64) Rule {
	return Rule{
		ID: "R29-size", Req: "R29", Grade: Should, Clause: "RFC 6455, 7.4.1 and 10.4",
		Text:  "a message that is too big for the server is refused with 1009",
		Check: refusedAsTooBig(bytes),
	}
}

// Failing are the rules on a connection that the server must fail, and on its close event,
// whose code no document lays down.
func Failing(code Rule, more ...Rule) []Rule {
	return slices.Concat([]Rule{ClosesAfterViolation, FailsWithClose, code, FailsAtOnce}, CloseFrames(),
		[]Rule{LetsGoAfterViolation, EventClean, OneEvent, EventInTime}, more)
}

func closesAfterViolation(r *evidence.Record, p Profile) Finding {
	want := "the end of TCP " + within(p.CloseLimit())
	if cannotSeeEnd(r) {
		return unmeasuredEnd(r)
	}
	return judged(ended(r) && r.EndedAt <= p.CloseLimit(), want, endSeen(r)+"; "+closeSeen(r))
}

func failsWithClose(r *evidence.Record, _ Profile) Finding {
	const want = "a Close frame"
	if len(r.Closes) == 0 && !ended(r) {
		return moot("the connection was not failed: " + endSeen(r))
	}
	return judged(len(r.Closes) > 0, want, closeSeen(r)+"; "+endSeen(r))
}

func failsAtOnce(r *evidence.Record, p Profile) Finding {
	if !ended(r) {
		return moot(endSeen(r))
	}
	return judged(endBegan(r) <= p.ResponseLimit(), "the end of TCP "+within(p.ResponseLimit()), endSeen(r))
}

func failureCode(codes []int) check {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = fmt.Sprint(c)
	}
	want := "close " + strings.Join(texts, " or ")
	return func(r *evidence.Record, _ Profile) Finding {
		if len(r.Closes) == 0 {
			return moot("no Close frame")
		}
		code, ok := r.Closes[0].Code()
		return judged(ok && slices.Contains(codes, code), want, closeSeen(r))
	}
}

func refusedAsTooBig(bytes uint64) check {
	return func(r *evidence.Record, _ Profile) Finding {
		switch {
		case !r.Has[evidence.Echo]:
			return moot("without an echo it is not known whether the server took the message")
		case r.Lengths[bytes] > 0:
			return moot("the server took the message: it is echoed")
		case len(r.Closes) == 0:
			return moot("no Close frame; " + endSeen(r))
		}
		code, ok := r.Closes[0].Code()
		if own, asked := firstClose(r).Code(); !ok || asked && code == own {
			return moot("not echoed, but the peer's Close was answered: " + closeSeen(r))
		}
		return judged(code == 1009, "close 1009", closeSeen(r))
	}
}

func handshakeStatus(r *evidence.Record, _ Profile) Finding {
	const want = "an HTTP status, then the end of TCP"
	switch {
	case !ended(r) && r.Status == 0:
		return moot(endSeen(r))
	case r.Status == 0:
		return breached(want, "no HTTP status; "+endSeen(r))
	}
	return kept(want, fmt.Sprintf("HTTP %d; %s", r.Status, endSeen(r)))
}
