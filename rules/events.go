package rules

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// What the server's own close event says: R21 to R26.
var (
	EventCode = Rule{
		ID: "R21", Req: "R21", Grade: Must, Clause: "RFC 6455, 7.1.5 and 7.1.6",
		Text:  "the close event has the code and reason of the first Close frame received",
		Check: firstEvent(eventCode),
	}
	EventNoCode = Rule{
		ID: "R22", Req: "R22", Grade: Must, Clause: "RFC 6455, 7.1.5",
		Text:  "a Close without a code is reported as 1005, or as the library declares",
		Check: firstEvent(eventNoCode),
	}
	EventLost = Rule{
		ID: "R23", Req: "R23", Grade: Must, Clause: "RFC 6455, 7.1.5",
		Text:  "TCP gone without a Close frame is reported as 1006, or as the library declares",
		Check: firstEvent(eventLost),
	}
	EventClean = Rule{
		ID: "R24", Req: "R24", Grade: Must, Clause: "RFC 6455, 7.1.4",
		Text:  "the close event is clean only after a completed closing handshake",
		Check: firstEvent(eventClean),
	}
	KillEvent = Rule{
		ID: "R25", Req: "R25", Grade: Must, Clause: "operational",
		Text: "there is one close event per connection, or none where the library declares that a hard kill causes none",
		Check: func(r *evidence.Record, p Profile) Finding {
			if p.KillUntold && r.Events.Asked && r.Events.Err == "" && len(r.Events.List) == 0 {
				return kept("1 close event, or none (declared)", "none")
			}
			return oneEvent(r, p)
		},
	}
	OneEvent = Rule{
		ID: "R25", Req: "R25", Grade: Must, Clause: "operational",
		Text:  "there is one close event per connection",
		Check: oneEvent,
	}
	EventInTime = Rule{
		ID: "R26", Req: "R26", Grade: Budget, Clause: "close timeout",
		Text:  "the close event comes within the limit",
		Check: eventInTime,
	}
	KillEventInTime = Rule{
		ID: "R26", Req: "R26", Grade: Budget, Clause: "close timeout",
		Text:  "the close event comes within the limit, if the library does not declare that a hard kill causes none",
		Check: killEventInTime,
	}
	OneEventOnceReleased = Rule{
		ID: "R25", Req: "R25", Grade: Must, Clause: "operational",
		Text:  "there is one close event per connection, once the server has let go of it",
		Check: oneEventOnceReleased,
	}
)

// CloseEvent are the rules on the close event of a connection. The first of them says which code
// the event must have: EventCode, EventNoCode or EventLost.
func CloseEvent(how Rule) []Rule {
	return []Rule{how, EventClean, OneEvent, EventInTime}
}

// AnyCloseEvent are the rules on the close event for a script in which it depends on the server
// whether the peer sends a Close frame, and which one. Of the three rules on the code of
// the event at most one applies.
func AnyCloseEvent() []Rule {
	return append(CloseEvent(EventCode), EventNoCode, EventLost)
}

// IfClosed judges only where the server closed. A library may refuse the code that the
// application asks for, and then the connection goes on.
func IfClosed(list ...Rule) []Rule {
	return onlyWhere(list, "the server did not close", func(r *evidence.Record) bool { return len(r.Closes) > 0 || ended(r) })
}

// IfAnswered judges only where the server answered the peer's Close, with its
// code or without one, and did not close for a reason of its own.
func IfAnswered(list ...Rule) []Rule {
	return onlyWhere(list, "the peer's Close was not answered", func(r *evidence.Record) bool {
		if _, both := r.BothClosed(); !both {
			return false
		}
		got, coded := r.Closes[0].Code()
		sent, _ := r.CloseSent[0].Code()
		return !coded || got == sent
	})
}

// onlyWhere judges by each of the rules where what they are about occurred. Elsewhere they
// are moot, and otherwise says why.
func onlyWhere(list []Rule, otherwise string, occurred func(*evidence.Record) bool) []Rule {
	out := slices.Clone(list)
	for i, rule := range list {
		out[i].Check = func(r *evidence.Record, p Profile) Finding {
			if !occurred(r) {
				return moot(otherwise + ": " + closeSeen(r) + "; " + endSeen(r))
			}
			return rule.Check(r, p)
		}
	}
	return out
}

// firstEvent judges the first close event. That there is none is for R25.
func firstEvent(judge func(evidence.AppEvent, *evidence.Record, Profile) Finding) check {
	return func(r *evidence.Record, p Profile) Finding {
		switch {
		case !r.Events.Asked:
			return unmeasured(evidence.CanEvents, "the target does not report its close events")
		case len(r.Events.List) == 0:
			return moot("no close event")
		}
		return judge(r.Events.List[0], r, p)
	}
}

func oneEvent(r *evidence.Record, _ Profile) Finding {
	const want = "1 close event"
	n := len(r.Events.List)
	switch {
	case !r.Events.Asked:
		return unmeasured(evidence.CanEvents, "the target does not report its close events")
	case r.Events.Err != "":
		return moot(r.Events.Err)
	case n == 0 && stillHeld(r):
		return moot("none, and the server process still holds the socket")
	case n == 0 && !r.Socket.Observed && r.Ending == peers.Open:
		return moot("none, and TCP is still open")
	case n == 0 && r.GaveUp && !r.Socket.Observed:
		return moot("none before finwait gave up and reset the connection")
	case n == 1:
		return kept(want, r.Events.List[0].String())
	}
	return breached(want, fmt.Sprintf("%d close events", n))
}

// oneEventOnceReleased judges a connection that a server may keep for as long as it likes. That
// there is no close event is a breach where the end of the connection was seen.
func oneEventOnceReleased(r *evidence.Record, p Profile) Finding {
	released := r.Socket.Observed && !r.Socket.Held.Censored || ended(r)
	if r.Events.Asked && r.Events.Err == "" && len(r.Events.List) == 0 && !released {
		return moot("none, and the server was not seen to let go of the connection")
	}
	return oneEvent(r, p)
}

func eventCode(e evidence.AppEvent, r *evidence.Record, p Profile) Finding {
	first, why := closeToReport(e, r, p)
	code, coded := first.Code()
	want := first.String()
	switch {
	case why != "":
		return moot(why)
	case !coded:
		return moot("the peer's Close frame has no code")
	case !peers.MayBeSent(code) || !utf8.ValidString(first.Reason()): // the peer echoes what the server sent
		return moot("the peer's Close frame is malformed: " + want)
	case e.Code == nil && r.Has[evidence.TellsCode] && answersPeer(r, first):
		return breached(want, e.String())
	case e.Code == nil:
		return moot("the library does not report the code")
	case *e.Code != code:
		return breached(want, e.String())
	case e.Reason != nil && *e.Reason != first.Reason():
		return breached(want, e.String())
	}
	return kept(want, e.String())
}

// writeSkew is by how much the peer may date its own write later than the server's
// reaction to it.
const writeSkew = 5 * time.Millisecond

// longDelay is how long before the peer's Close frame an event must come so that it need
// not report that frame. Only a script in which the peer waits leaves so much time. A
// peer that answers at once may be some milliseconds later on a busy host, and its verdict
// must not depend on that: an event with the server's own code is as wrong before the
// answer as after it.
const longDelay = 500 * time.Millisecond

// answersPeer reports whether the server's Close frame, if there is one, answers the peer's:
// it came later, and not because a message was too big.
func answersPeer(r *evidence.Record, first peers.Close) bool {
	if len(r.Closes) == 0 {
		return true
	}
	code, _ := r.Closes[0].Code()
	return r.Closes[0].At > first.At && code != 1009
}

// closeToReport is the peer's first Close frame. Where the event need not report it, why
// says why not.
func closeToReport(e evidence.AppEvent, r *evidence.Record, p Profile) (first peers.Close, why string) {
	if len(r.CloseSent) == 0 {
		return first, "the peer sent no Close frame"
	}
	first = firstClose(r)
	switch timed := e.At != nil && r.Socket.SameClock(); {
	case ended(r) && first.At > r.EndedAt+writeSkew:
		why = "the peer sent no Close frame while TCP was open"
	case timed && first.At-e.At.Sub(r.Trigger) >= longDelay:
		why = "the event came before the peer sent its Close frame: " + e.String()
	case waitedForNone(first, r) && lostCode(e, p).Outcome == Kept:
		why = "the server ended TCP without waiting for the peer's Close frame, and reports that none came: " + e.String()
	case !timed && r.Dropped > 0:
		why = "the peer was dark, and the server may have given up before the peer's Close frame came"
	}
	return first, why
}

// firstClose is the peer's first Close frame, or a frame without a body where it sent none.
func firstClose(r *evidence.Record) (first peers.Close) {
	if len(r.CloseSent) > 0 {
		first = r.CloseSent[0]
	}
	return first
}

// waitedForNone reports whether the server closed first and then ended TCP before it read
// the peer's Close frame: its FIN came before that frame, or it answered the frame by RST.
func waitedForNone(first peers.Close, r *evidence.Record) bool {
	return len(r.Closes) > 0 && r.Closes[0].At <= first.At && (r.RST != nil || ended(r) && r.EndedAt <= first.At)
}

func eventNoCode(e evidence.AppEvent, r *evidence.Record, p Profile) Finding {
	first, why := closeToReport(e, r, p)
	switch {
	case why != "":
		return moot(why)
	case len(first.Body) > 0:
		return moot("the peer's Close frame has a code: " + first.String())
	}
	return codeOrDeclared(e, 1005, p.NoCode)
}

func eventLost(e evidence.AppEvent, r *evidence.Record, p Profile) Finding {
	if len(r.CloseSent) > 0 {
		return moot("the peer sent a Close frame")
	}
	return lostCode(e, p)
}

// lostCode judges the code of the event where TCP ended without a Close frame.
func lostCode(e evidence.AppEvent, p Profile) Finding {
	return codeOrDeclared(e, 1006, p.LostCode)
}

// codeOrDeclared judges the code of an event where a library may declare a convention of
// its own besides that of the RFC: another code, or null.
func codeOrDeclared(e evidence.AppEvent, code int, own Convention) Finding {
	want := fmt.Sprintf("code %d", code)
	if own.Declared {
		want += ", or " + own.String() + " (declared)"
	}
	kept := e.Code != nil && *e.Code == code
	switch {
	case !own.Declared:
	case own.Code == nil:
		kept = kept || e.Code == nil
	default:
		kept = kept || e.Code != nil && *e.Code == *own.Code
	}
	return judged(kept, want, e.String())
}

func eventClean(e evidence.AppEvent, r *evidence.Record, _ Profile) Finding {
	if e.Clean == nil {
		return moot("the library does not report whether the close was clean")
	}
	_, both := r.BothClosed()
	if !both && r.Ending == peers.Unseen && len(r.CloseSent) > 0 {
		return moot("this peer could not see whether the server sent a Close frame")
	}
	want := "not clean, since one of the two Close frames is missing"
	if both {
		want = "clean or not"
	}
	return judged(both || !*e.Clean, want, e.String())
}

// eventInTime judges by the time of the event where that is of this host's clock, and else by the
// answers of the target: the event came before the answer that has it, and after finwait asked last
// and there was none.
func eventInTime(r *evidence.Record, p Profile) Finding {
	limit, want := p.CloseLimit(), "the event "+within(p.CloseLimit())
	if missing := r.Events.Asked && r.Events.Err == "" && len(r.Events.List) == 0; missing && r.GaveUp && r.Stopped > limit {
		return breached(want, "no event until the peer gave up after "+figures.Format(r.Stopped))
	}
	return firstEvent(func(e evidence.AppEvent, r *evidence.Record, _ Profile) Finding {
		answered := !r.Events.Came.IsZero()
		why := "whether the target's clock is this host's is not known"
		switch {
		case e.At == nil:
			why = "the event has no time"
		case !r.Socket.SameClock():
		case answered && e.At.After(r.Events.Came):
			why = "the event's time is later than the answer that has it: the target's clock was set in between"
		default:
			took := e.At.Sub(r.Trigger)
			return judged(took <= limit, want, "the event at "+figures.Format(took))
		}
		none, came := r.Events.None.Sub(r.Trigger), r.Events.Came.Sub(r.Trigger)
		switch {
		case answered && came <= limit:
			return kept(want, "the event by "+figures.Format(came))
		case none > limit: // not where None is zero
			return breached(want, "no event yet at "+figures.Format(none))
		case answered:
			why += "; the event came by " + figures.Format(came)
		}
		return moot(why)
	})(r, p)
}

func killEventInTime(r *evidence.Record, p Profile) Finding {
	if p.KillUntold && r.Events.Asked && len(r.Events.List) == 0 {
		return moot("no close event, as the library declares")
	}
	return eventInTime(r, p)
}
