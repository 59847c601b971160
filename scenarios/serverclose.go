package scenarios

import (
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// ServerClose is the family in which the server's application closes.
func ServerClose() []*harness.Scenario {
	return slices.Concat(closeAnswered(), closeNotAnswered(), closeUnread(), closeCrossed(),
		chosenCodes(), noCode(), refusedCodes())
}

// askClose1000 asks the server's application to close with 1000.
func askClose1000(then ...peers.Frame) peers.Ask { return peers.Ask{Command: "close 1000", Then: then} }

// closesWith1000 are the rules on a server that was asked to close with 1000: those on
// its Close frame, and those on what follows.
func closesWith1000(then ...rules.Rule) []rules.Rule {
	return slices.Concat([]rules.Rule{rules.SendsCode(1000, "")}, then, rules.CloseFrames())
}

// boundedWait are the rules on how long the server waits for the peer, and on the close
// event that follows.
func boundedWait(event rules.Rule) []rules.Rule {
	return append([]rules.Rule{rules.BoundedWait}, rules.CloseEvent(event)...)
}

// handshakeDone are the rules on a server whose Close frame was answered.
func handshakeDone(event rules.Rule) []rules.Rule {
	return append([]rules.Rule{rules.ClosesTCP, rules.ClosesFirst}, boundedWait(event)...)
}

func closeAnswered() []*harness.Scenario {
	answeredWith := func(f peers.Frame) peers.Script {
		return endsTCPAfter(peers.Trigger{}, askClose1000(), peers.AwaitClose{}, peers.Send{f})
	}
	return []*harness.Scenario{
		{
			ID: "server-close/polite", Title: "answers the server's Close and ends TCP",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: answersCloseAfter(peers.Trigger{}, askClose1000()),
			Rules:  closesWith1000(handshakeDone(rules.EventCode)...),
			Asks:   asks(rules.ClosesTCP),
		},
		{
			ID: "server-close/slow-answer-1s", Title: "answers the server's Close after 1 s",
			Needs: []evidence.Capability{evidence.CanClose},
			Script: endsTCPAfter(peers.Trigger{}, askClose1000(), peers.AwaitClose{},
				peers.Pause{For: time.Second}, peers.AnswerClose{}),
			Rules: closesWith1000(boundedWait(rules.EventCode)...),
			Asks:  asks(rules.BoundedWait),
		},
		{
			ID: "server-close/ignores", Title: "ignores the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, askClose1000(), peers.HoldOpen{}),
			Rules:  closesWith1000(boundedWait(rules.EventLost)...),
			Asks:   asks(rules.BoundedWait),
		},
		{
			ID: "server-close/answers-other-code", Title: "answers the server's Close with 4000",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: answeredWith(peers.CloseFrame(4000, "other")),
			Rules:  closesWith1000(handshakeDone(rules.EventCode)...),
			Asks:   asks(rules.ClosesTCP, rules.EventCode),
		},
		{
			ID: "server-close/answers-empty", Title: "answers the server's Close without a code",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: answeredWith(peers.CloseBody(nil)),
			Rules:  closesWith1000(handshakeDone(rules.EventNoCode)...),
			Asks:   asks(rules.ClosesTCP, rules.EventNoCode),
		},
		{
			ID: "server-close/answers-bad-code", Title: "answers the server's Close with 1006, a code that may not be sent",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{malformed},
			Script: answeredWith(peers.CloseFrame(1006, "")),
			Rules:  closesWith1000(rules.BoundedWait, rules.OneEvent, rules.EventInTime),
			Asks:   asks(rules.BoundedWait),
		},
	}
}

// closeNotAnswered are the scenarios in which the server waits in vain for the peer's
// Close frame.
func closeNotAnswered() []*harness.Scenario {
	keepsSending := func(f peers.Frame, every time.Duration) peers.Script {
		return peers.Opened(peers.Trigger{}, askClose1000(), peers.KeepSending{Frame: f, Every: every})
	}
	afterClose := func(steps ...peers.Step) peers.Script {
		return peers.Opened(append([]peers.Step{peers.Trigger{}, askClose1000(), peers.AwaitClose{}}, steps...)...)
	}
	notProlonged := closesWith1000(append([]rules.Rule{rules.NotProlonged}, rules.CloseEvent(rules.EventLost)...)...)
	lost := closesWith1000(boundedWait(rules.EventLost)...)
	return []*harness.Scenario{
		{
			ID: "server-close/keeps-talking", Title: "sends a text message every 100 ms instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: keepsSending(peers.Text(stillHere), 100*time.Millisecond),
			Rules:  notProlonged,
			Asks:   asks(rules.NotProlonged),
		},
		{
			ID: "server-close/keeps-pinging", Title: "sends a Ping every 100 ms instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: keepsSending(peers.Ping(stillHere), 100*time.Millisecond),
			Rules:  notProlonged,
			Asks:   asks(rules.NotProlonged),
		},
		{
			ID: "server-close/slow-talker", Title: "sends a text message every 2 s instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: keepsSending(peers.Text(stillHere), 2*time.Second),
			Rules:  notProlonged,
			Asks:   asks(rules.NotProlonged),
		},
		{
			ID:    "server-close/drips-frame",
			Title: "sends one byte every 700 ms of a frame that it never finishes instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			// The header of 6 bytes is complete after 3.5 s, which no server has as its close timeout.
			Script: peers.Opened(peers.Trigger{}, askClose1000(),
				peers.SendPart{Frame: peers.Filler(120), Leave: 1, Every: 700 * time.Millisecond}),
			Rules: notProlonged,
			Asks:  asks(rules.NotProlonged),
		},
		{
			ID:    "server-close/stalls-in-frame",
			Title: "sends part of a frame and then nothing more instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, askClose1000(), partOfFrame(), peers.HoldOpen{}),
			Rules:  notProlonged,
			Asks:   asks(rules.NotProlonged),
		},
		{
			ID: "server-close/close-frame-half-sent", Title: "answers with part of a Close frame and then sends nothing more",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: afterClose(partOfCloseFrame(), peers.HoldOpen{}),
			Rules:  notProlonged,
			Asks:   asks(rules.NotProlonged),
		},
		{
			ID: "server-close/fins-without-close", Title: "closes its socket instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{tcp},
			Script: afterClose(peers.CloseSocket{}, peers.HoldOpen{}),
			Rules:  lost,
			Asks:   asks(rules.BoundedWait),
		},
		{
			ID: "server-close/half-closes", Title: "sends FIN instead of answering the server's Close, and goes on reading",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{tcp, hang},
			Script: afterClose(peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  lost,
			Asks:   asks(rules.BoundedWait),
		},
		{
			ID: "server-close/rst", Title: "resets the connection instead of answering the server's Close",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{tcp},
			Script: afterClose(peers.Reset{}, peers.HoldOpen{}),
			Rules:  lost,
			Asks:   asks(rules.BoundedWait),
		},
		{
			ID: "server-close/vanishes", Title: "drops every packet from the server, which then closes",
			Needs: []evidence.Capability{evidence.CanClose, evidence.Dark}, Labels: []string{dark, hang},
			Script: peers.Opened(peers.GoDark{}, peers.Trigger{}, askClose1000(), peers.HoldOpen{}),
			Rules:  slices.Concat([]rules.Rule{rules.LetsGoOfVanished}, rules.CloseEvent(rules.EventLost), rules.CloseFrames()),
			Asks:   asks(rules.LetsGoOfVanished),
		},
		{
			ID:    "server-close/vanishes-then-returns",
			Title: "drops every packet from the server for 3 s while the server closes, and then answers",
			Needs: []evidence.Capability{evidence.CanClose, evidence.Dark}, Labels: []string{dark},
			Script: answersCloseAfter(peers.GoDark{}, peers.Trigger{}, askClose1000(),
				peers.Pause{For: 3 * time.Second}, peers.ComeBack{}),
			Rules: slices.Concat(boundedWait(rules.EventCode), rules.CloseFrames()),
			Asks:  asks(rules.BoundedWait),
		},
	}
}

// closeUnread are the scenarios in which the server's Close frame waits behind a full
// send buffer. Another peer asks for it, and the server closes all connections: a server
// that cannot write may not read either.
func closeUnread() []*harness.Scenario {
	needs := []evidence.Capability{evidence.CanKickAll, evidence.CanFill}
	asking := []harness.Crowd{{Kind: "asks", Count: 1,
		Script: answersKickAfter(peers.JoinBarrier{Lead: true}, peers.Ask{Command: "kick-all 1000"})}}
	notBlocked := slices.Concat([]rules.Rule{rules.NotBlocked}, rules.CloseEvent(rules.EventLost), rules.CloseFrames())
	return []*harness.Scenario{
		{
			ID: "server-close/stops-reading", Title: "stops reading: the server's Close waits behind a full send buffer",
			Needs: needs, Labels: []string{hang}, Alone: true,
			Script: behindFullSendBuffer(peers.StopReading{}, peers.JoinBarrier{}, peers.LeaveBarrier{}, peers.HoldOpen{}),
			Crowd:  asking, Rules: notBlocked,
			Asks: asks(rules.NotBlocked),
		},
		{
			ID:    "server-close/drip-reader",
			Title: "reads one byte every 100 ms: the server's Close waits behind a full send buffer",
			Needs: needs, Labels: []string{hang}, Alone: true,
			Script: behindFullSendBuffer(peers.SlowReading{Bytes: 1, Every: 100 * time.Millisecond},
				peers.JoinBarrier{}, peers.LeaveBarrier{}, peers.HoldOpen{}),
			Crowd: asking, Rules: notBlocked,
			Asks: asks(rules.NotBlocked),
		},
	}
}

// closeCrossed are the scenarios in which frames of the peer cross the server's Close frame.
func closeCrossed() []*harness.Scenario {
	return []*harness.Scenario{
		{
			ID:     "server-close/mid-message",
			Title:  "has sent the first fragment of a message when the server closes, and answers",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: answersCloseAfter(peers.Trigger{}, askClose1000(fragment("half a message"))),
			Rules:  closesWith1000(handshakeDone(rules.EventCode)...),
			Asks:   asks(rules.ClosesTCP),
		},
		{
			ID: "server-close/closes-at-once", Title: "closes with 1000 at the same time as the server",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: endsTCPAfter(peers.Trigger{}, askClose1000(peers.CloseFrame(1000, ""))),
			Rules:  slices.Concat([]rules.Rule{rules.BothClosed}, boundedWait(rules.EventCode), rules.CloseFrames()),
			Asks:   asks(rules.BothClosed),
		},
	}
}

// refusal is how long the peer waits for the Close frame of a library that may refuse
// the code. Some servers have a close timeout of 1 s.
const refusal = 750 * time.Millisecond

// chosenCodes are the scenarios in which the application closes with a code that may be
// sent. A library may refuse it, and then the connection goes on: the peer closes.
func chosenCodes() (out []*harness.Scenario) {
	const reason = "why not"
	for _, s := range []struct {
		id    string
		code  int
		sends func(code int, reason string) rules.Rule
	}{
		{"server-close/code-1000", 1000, rules.SendsCode},
		{"server-close/code-1001", 1001, rules.SendsCodeUnlessRefused},
		{"server-close/code-1008", 1008, rules.SendsCodeUnlessRefused},
		{"server-close/code-1011", 1011, rules.SendsCodeUnlessRefused},
		{"server-close/code-1012", 1012, rules.SendsCodeUnlessRefused},
		{"server-close/code-1013", 1013, rules.SendsCodeUnlessRefused},
		{"server-close/code-3000", 3000, rules.SendsCode},
		{"server-close/code-4999", 4999, rules.SendsCode},
	} {
		chosen := s.sends(s.code, reason)
		out = append(out, &harness.Scenario{
			ID:    s.id,
			Title: fmt.Sprintf("answers a server that closes with %d and a reason, or closes where the library refuses", s.code),
			Needs: []evidence.Capability{evidence.CanClose, evidence.ChosenCode, evidence.ChosenReason},
			Script: endsTCPAfter(peers.Trigger{}, peers.Ask{Command: fmt.Sprintf("close %d %s", s.code, reason)},
				peers.AwaitClose{For: refusal}, peers.AnswerClose{Else: peers.Send{peers.CloseFrame(4000, "")}}),
			Rules: slices.Concat([]rules.Rule{chosen, rules.CodeOnWire, rules.ClosesTCP, rules.ClosesFirst, rules.BoundedWait},
				rules.IfClosed(rules.CloseEvent(rules.EventCode)...), rules.CloseFrames()),
			Asks: asks(chosen),
		})
	}
	return out
}

func noCode() []*harness.Scenario {
	return []*harness.Scenario{{
		ID: "server-close/no-code", Title: "answers a server that closes without a code",
		Needs:  []evidence.Capability{evidence.CanClose, evidence.ChosenCode},
		Script: answersCloseAfter(peers.Trigger{}, peers.Ask{Command: "close"}),
		Rules: slices.Concat([]rules.Rule{rules.CodeOnWire, rules.ClosesTCP, rules.ClosesFirst, rules.BoundedWait},
			rules.IfClosed(rules.AnyCloseEvent()...), rules.CloseFrames()),
		Asks: asks(rules.LegalCode),
	}}
}

// refusedCodes are the scenarios in which the application closes with a code that may not
// be sent. A library may refuse it, or close with another code, at once or later.
func refusedCodes() (out []*harness.Scenario) {
	for _, s := range []struct {
		id   string
		code int
	}{
		{"server-close/refused-999", 999},
		{"server-close/refused-1004", 1004},
		{"server-close/refused-1005", 1005},
		{"server-close/refused-1006", 1006},
		{"server-close/refused-1015", 1015},
	} {
		out = append(out, &harness.Scenario{
			ID:    s.id,
			Title: fmt.Sprintf("answers a server whose application closes with %d, a code that may not be sent", s.code),
			Needs: []evidence.Capability{evidence.CanClose, evidence.ChosenCode},
			Script: endsTCPAfter(peers.Trigger{}, peers.Ask{Command: fmt.Sprintf("close %d", s.code)},
				peers.Pause{For: refusal}, peers.AnswerClose{Else: close1000()}),
			Rules: slices.Concat(rules.CloseFrames(), []rules.Rule{rules.CodeOnWire}, rules.AnyCloseEvent()),
			Asks:  asks(rules.LegalCode),
		})
	}
	return out
}
