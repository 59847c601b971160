package rules

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// The peer closes first: R1 to R13.
var (
	Answered = Rule{
		ID: "R1", Req: "R1", Grade: Must, Clause: "RFC 6455, 5.5.1",
		Text:  "a Close frame is answered with a Close frame",
		Check: answered,
	}
	AnsweredOrReset = Rule{
		ID: "R1", Req: "R1", Grade: Must, Clause: "RFC 6455, 5.5.1",
		Text: "a Close frame is answered with a Close frame, which an RST may have destroyed",
		Check: func(r *evidence.Record, p Profile) Finding {
			if len(r.Closes) == 0 && r.RST != nil {
				return moot("no Close frame; " + endSeen(r)) // whether there may be an RST is for R10
			}
			return answered(r, p)
		},
	}
	AnsweredInTime = Rule{
		ID: "R2", Req: "R2", Grade: Budget, Clause: "RFC 6455, 5.5.1",
		Text:  "the answer comes as soon as practical",
		Check: answeredInTime,
	}
	AnswerCode = Rule{
		ID: "R3", Req: "R3", Grade: Info, Clause: "RFC 6455, 5.5.1",
		Text:  "which code the answer has: an echo, 1000 or none are all fine",
		Check: answerCode,
	}
	EmptyNot1005 = Rule{
		ID: "R4", Req: "R4", Grade: Must, Clause: "RFC 6455, 7.4.1",
		Text:  "a Close frame without a code is not answered with 1005",
		Check: emptyNot1005,
	}
	WellFormed = Rule{
		ID: "R5", Req: "R5", Grade: Must, Clause: "RFC 6455, 5.1, 5.5 and 5.5.1",
		Text:  "the server's Close is one unmasked frame of at most 125 bytes: its body is empty, or a 2-byte code and UTF-8",
		Check: wellFormed,
	}
	NothingAfterClose = Rule{
		ID: "R6", Req: "R6", Grade: Must, Clause: "RFC 6455, 5.5.1 and 6.1",
		Text:  "no data frame follows the server's own Close",
		Check: nothingAfterClose,
	}
	OneClose = Rule{
		ID: "R7", Req: "R7", Grade: Should, Clause: "RFC 6455, 7.1.5",
		Text:  "the server sends one Close frame",
		Check: oneClose,
	}
	ClosesTCP = Rule{
		ID: "R8", Req: "R8", Grade: Must, Clause: "RFC 6455, 5.5.1",
		Text:  "the server closes TCP immediately once it has sent and received a Close frame",
		Check: closesTCP,
	}
	ClosesFirst = Rule{
		ID: "R9", Req: "R9", Grade: Should, Clause: "RFC 6455, 7.1.1",
		Text:  "the server closes TCP first, so that it and not the peer holds TIME_WAIT",
		Check: closesFirst,
	}
	ClosesCleanly = Rule{
		ID: "R10", Req: "R10", Grade: Should, Clause: "RFC 6455, 7.1.1",
		Text:  "trailing bytes are read and discarded, so that no RST destroys the Close frame",
		Check: closesCleanly,
	}
	ClosesTLSCleanly = Rule{
		ID: "R10-tls", Req: "R10", Grade: Should, Clause: "RFC 8446, 6.1; RFC 6455, 7.1.1",
		Text:  "under TLS the server sends close_notify before its FIN, so that its end can be told from a cut",
		Check: closesTLSCleanly,
	}
	AnsweredInMessage = Rule{
		ID: "R11", Req: "R11", Grade: Must, Clause: "RFC 6455, 5.4",
		Text:  "a Close between the fragments of a message is answered",
		Check: answered,
	}
	BothClosed = Rule{
		ID: "R13", Req: "R13", Grade: Must, Clause: "RFC 6455, 5.5.1",
		Text:  "when both sides close at the same time TCP is closed",
		Check: closesTCP,
	}
)

// NotEchoedAfterClose is R12: this text, sent after the Close frame, is discarded.
func NotEchoedAfterClose(text string) Rule {
	return Rule{
		ID: "R12", Req: "R12", Grade: Should, Clause: "RFC 6455, 1.4, 5.5.1 and 5.5.2",
		Text:  "data after the peer's Close is discarded, never echoed",
		Check: notEchoed(text),
	}
}

// CloseFrames are the rules on any Close frame of the server.
func CloseFrames() []Rule {
	return []Rule{WellFormed, NothingAfterClose, OneClose, LegalCode}
}

// Answer are the rules on a whole closing handshake that the peer starts, and on the
// close event that the server's application gets.
func Answer(more ...Rule) []Rule {
	return slices.Concat([]Rule{Answered, AnsweredInTime, AnswerCode}, CloseFrames(),
		[]Rule{ClosesTCP, ClosesFirst, LetsGoAfterClose}, CloseEvent(EventCode), more)
}

// closeMissing is why a rule on a whole closing handshake is moot.
const closeMissing = "one of the two Close frames is missing"

func answered(r *evidence.Record, _ Profile) Finding {
	const want = "a Close frame"
	if len(r.Closes) > 0 {
		return kept(want, closeSeen(r))
	}
	if cannotSeeEnd(r) {
		return unmeasuredEnd(r)
	}
	return breached(want, "no Close frame; "+endSeen(r))
}

func answeredInTime(r *evidence.Record, p Profile) Finding {
	if len(r.Closes) == 0 || len(r.CloseSent) == 0 {
		return moot(closeMissing)
	}
	took := r.Closes[0].At - r.CloseSent[0].At
	return judged(took <= p.ResponseLimit(), "the Close frame "+within(p.ResponseLimit()), "the Close frame after "+figures.Format(took))
}

func answerCode(r *evidence.Record, _ Profile) Finding {
	if len(r.Closes) == 0 || len(r.CloseSent) == 0 {
		return measured("no Close frame")
	}
	got, answered := r.Closes[0].Code()
	sent, asked := r.CloseSent[0].Code()
	switch {
	case !answered:
		return measured("answered without a code")
	case asked && got == sent:
		return measured(fmt.Sprintf("answered with %d, an echo", got))
	}
	return measured(fmt.Sprintf("answered with %d", got))
}

func emptyNot1005(r *evidence.Record, _ Profile) Finding {
	if len(r.Closes) == 0 {
		return moot("no Close frame")
	}
	code, ok := r.Closes[0].Code()
	return judged(!ok || code != 1005, "any answer but 1005", closeSeen(r))
}

func wellFormed(r *evidence.Record, _ Profile) Finding {
	const want = "an unmasked, unfragmented frame without reserved bits, with at most 125 bytes: none, or a 2-byte code and UTF-8"
	if len(r.Closes) == 0 {
		return moot("no Close frame")
	}
	for _, c := range r.Closes { // what decides here is what tells shapes apart in peers, so that none is missing
		h := c.Frame
		switch {
		case h.Masked:
			return breached(want, fmt.Sprintf("%s is masked", c))
		case !h.Fin:
			return breached(want, fmt.Sprintf("%s is fragmented (FIN bit 0)", c))
		case h.RSV != 0:
			return breached(want, fmt.Sprintf("%s has the reserved bits %03b", c, h.RSV))
		case h.Length > 125:
			return breached(want, fmt.Sprintf("a Close frame of %d bytes", h.Length))
		case h.Length == 1:
			return breached(want, c.String())
		case !utf8.ValidString(c.Reason()):
			return breached(want, fmt.Sprintf("%s: the reason is not UTF-8", c))
		}
	}
	return kept(want, closeSeen(r))
}

func nothingAfterClose(r *evidence.Record, _ Profile) Finding {
	if len(r.Closes) == 0 {
		return moot("no Close frame")
	}
	return judged(r.AfterClose == 0, "no data frame after it", fmt.Sprintf("%d data frames after %s", r.AfterClose, closeSeen(r)))
}

func oneClose(r *evidence.Record, _ Profile) Finding {
	if len(r.Closes) == 0 {
		return moot("no Close frame")
	}
	n := len(r.Closes) + r.MoreCloses
	return judged(n == 1, "1 Close frame", fmt.Sprintf("%d Close frames", n))
}

func closesTCP(r *evidence.Record, p Profile) Finding {
	both, ok := r.BothClosed()
	if !ok {
		return moot(closeMissing)
	}
	want := "the end of TCP " + within(p.ResponseLimit()) + " of the later Close frame"
	switch {
	case cannotSeeEnd(r):
		return unmeasuredEnd(r)
	case !ended(r):
		return breached(want, endSeen(r))
	}
	took := endBegan(r) - both
	return judged(took <= p.ResponseLimit(), want, fmt.Sprintf("%s, %s after it", endSeen(r), figures.Format(max(0, took))))
}

func closesFirst(r *evidence.Record, _ Profile) Finding {
	const want = "the server's FIN before the peer's"
	if _, ok := r.BothClosed(); !ok {
		return moot(closeMissing)
	}
	if cannotSeeEnd(r) {
		return unmeasuredEnd(r)
	}
	first := ended(r) && (r.PeerFIN == nil || endBegan(r) <= *r.PeerFIN)
	return judged(first, want, endSeen(r))
}

func closesTLSCleanly(r *evidence.Record, _ Profile) Finding {
	const want = "close_notify before FIN"
	if r.CloseNotify == nil && r.Ending != peers.FIN {
		return moot(endSeen(r))
	}
	return judged(r.CloseNotify != nil, want, endSeen(r))
}

func closesCleanly(r *evidence.Record, _ Profile) Finding {
	const want = "FIN without an RST"
	if !ended(r) {
		return moot(endSeen(r))
	}
	return judged(r.RST == nil, want, closeSeen(r)+"; "+endSeen(r))
}

// notEchoed judges that no message with this text came after the trigger.
func notEchoed(text string) check {
	return func(r *evidence.Record, _ Profile) Finding {
		if !r.Has[evidence.Echo] {
			return unmeasured(evidence.Echo, "the target does not echo")
		}
		n := r.Echoes[text]
		return judged(n == 0, "no echo of "+fmt.Sprintf("%q", text), fmt.Sprintf("%d echoes", n))
	}
}
