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
	var out []*harness.Scenario
	add := func(name, title string, needs []evidence.Capability, labels []string, script peers.Script, r ...[]rules.Rule) {
		out = append(out, &harness.Scenario{
			ID: "server-close/" + name, Title: title, Labels: labels,
			Needs:  append([]evidence.Capability{evidence.CanClose}, needs...),
			Script: script, Rules: append(slices.Concat(r...), rules.CloseFrames()...),
		})
	}
	ask := peers.Ask{Command: "close 1000"}
	asked := func(steps ...peers.Step) peers.Script {
		return peers.Opened(append([]peers.Step{peers.Trigger{}, ask}, steps...)...)
	}
	sees := func(steps ...peers.Step) peers.Script {
		return asked(append([]peers.Step{peers.AwaitClose{}}, steps...)...)
	}
	polite := []peers.Step{peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}}
	sent := []rules.Rule{rules.SendsCode(1000, "")}
	ends := []rules.Rule{rules.ClosesTCP, rules.ClosesFirst}
	bounded := []rules.Rule{rules.BoundedWait}
	talked := append([]rules.Rule{rules.NotProlonged}, rules.CloseEvent(rules.EventLost)...)
	answer := func(f peers.Frame) peers.Script {
		return sees(peers.Send{f}, peers.AwaitEnd{}, peers.Finish{})
	}
	holds := []string{hang}
	local := []evidence.Capability{evidence.Local}
	lost := []evidence.Capability{evidence.Local, evidence.Dark}
	half := peers.SendPart{Frame: peers.Text("a frame that is cut in the middle"), Leave: 17}

	add("polite", "answers the server's Close and ends TCP", nil, nil, asked(polite...), sent, ends, bounded, rules.CloseEvent(rules.EventCode))
	add("slow-answer-1s", "answers the server's Close after 1 s", nil, nil,
		sees(peers.Pause{For: time.Second}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}), sent, bounded, rules.CloseEvent(rules.EventCode))
	add("ignores", "ignores the server's Close", nil, holds, asked(peers.HoldOpen{}), sent, bounded, rules.CloseEvent(rules.EventLost))
	add("answers-other-code", "answers the server's Close with 4000", nil, nil, answer(peers.CloseFrame(4000, "other")), sent, ends, bounded, rules.CloseEvent(rules.EventCode))
	add("answers-empty", "answers the server's Close without a code", nil, nil, answer(peers.CloseBody(nil)), sent, ends, bounded, rules.CloseEvent(rules.EventNoCode))
	add("answers-bad-code", "answers the server's Close with 1006", nil, []string{malformed}, answer(peers.CloseFrame(1006, "")), sent, bounded,
		[]rules.Rule{rules.OneEvent, rules.EventInTime})
	add("keeps-talking", "answers with a text every 100 ms", nil, holds, asked(peers.KeepSending{Frame: peers.Text("still here"), Every: 100 * time.Millisecond}), sent, talked)
	add("keeps-pinging", "answers with a Ping every 100 ms", nil, holds, asked(peers.KeepSending{Frame: peers.Ping("still here"), Every: 100 * time.Millisecond}), sent, talked)
	add("slow-talker", "answers with a text every 2 s", nil, holds, asked(peers.KeepSending{Frame: peers.Text("still here"), Every: 2 * time.Second}), sent, talked)
	// The 6 bytes of its header are there after 3.5 s, which is no close timeout in use.
	add("drips-frame", "answers with a byte every 700 ms of a frame that is never finished", nil, holds,
		asked(peers.SendPart{Frame: peers.Filler(120), Leave: 1, Every: 700 * time.Millisecond}), sent, talked)
	add("stalls-in-frame", "answers with half a frame and holds", nil, holds, asked(half, peers.HoldOpen{}), sent, talked)
	add("close-frame-half-sent", "answers with half a Close frame and holds", nil, holds,
		sees(peers.SendPart{Frame: peers.CloseFrame(1000, "bye"), Leave: 3}, peers.HoldOpen{}), sent, talked)
	add("fins-without-close", "closes its socket instead of answering", local, []string{tcp}, sees(peers.HangUp{}, peers.HoldOpen{}), sent, bounded, rules.CloseEvent(rules.EventLost))
	add("half-closes", "sends FIN instead of answering, and reads on", nil, []string{tcp, hang}, sees(peers.HalfClose{}, peers.HoldOpen{}), sent, bounded, rules.CloseEvent(rules.EventLost))
	add("rst", "resets the connection instead of answering", local, []string{tcp}, sees(peers.Reset{}, peers.HoldOpen{}), sent, bounded, rules.CloseEvent(rules.EventLost))
	add("vanishes", "is dark when the server closes", lost, []string{dark, hang}, peers.Opened(peers.Vanish{}, peers.Trigger{}, ask, peers.HoldOpen{}),
		[]rules.Rule{rules.LetsGoOfVanished}, rules.CloseEvent(rules.EventLost))
	add("vanishes-then-returns", "is dark for 3 s when the server closes, then answers", []evidence.Capability{evidence.Dark}, []string{dark},
		peers.Opened(peers.Vanish{}, peers.Trigger{}, ask, peers.Pause{For: 3 * time.Second}, peers.Return{},
			peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}), bounded, rules.CloseEvent(rules.EventCode))
	out = append(out,
		unread("stops-reading", "stops reading, so that the server's Close is stuck behind a full send buffer", peers.StopReading{}),
		unread("drip-reader", "reads a byte every 100 ms, so that the server's Close is stuck behind a full send buffer", peers.SlowReading{Bytes: 1, Every: 100 * time.Millisecond}))
	add("mid-message", "is between two fragments of a message when the server closes, and answers", nil, nil,
		peers.Opened(append([]peers.Step{peers.Trigger{},
			peers.Ask{Command: "close 1000", Then: []peers.Frame{{Opcode: peers.OpText, Part: true, Payload: []byte("half a message")}}}}, polite...)...),
		sent, ends, bounded, rules.CloseEvent(rules.EventCode))
	add("closes-at-once", "closes with 1000 at the same time as the server", nil, nil,
		peers.Opened(peers.Trigger{}, peers.Ask{Command: "close 1000", Then: []peers.Frame{peers.CloseFrame(1000, "")}}, peers.AwaitEnd{}, peers.Finish{}),
		[]rules.Rule{rules.BothClosed}, bounded, rules.CloseEvent(rules.EventCode))

	// A library may refuse a code, and then the connection goes on: the peer closes.
	// 1 s is a close timeout in use.
	const refusal = 750 * time.Millisecond
	for _, c := range []int{1000, 1001, 1008, 1011, 1012, 1013, 3000, 4999} {
		chosen := rules.SendsCode(c, "why not")
		if c > 1000 && c < 3000 {
			chosen = rules.SendsCodeUnlessRefused(c, "why not")
		}
		out = append(out, &harness.Scenario{
			ID: fmt.Sprintf("server-close/code-%d", c), Title: fmt.Sprintf("answers a server that closes with %d and a reason, or closes where the library refuses that", c),
			Needs: []evidence.Capability{evidence.CanClose, evidence.ChosenCode, evidence.ChosenReason},
			Script: peers.Opened(peers.Trigger{}, peers.Ask{Command: fmt.Sprintf("close %d why not", c)}, peers.AwaitClose{For: refusal},
				peers.AnswerClose{Else: peers.Send{peers.CloseFrame(4000, "")}}, peers.AwaitEnd{}, peers.Finish{}),
			Rules: slices.Concat([]rules.Rule{chosen, rules.CodeOnWire}, ends, bounded, rules.IfClosed(rules.CloseEvent(rules.EventCode)...), rules.CloseFrames()),
			Asks:  chosen.ID,
		})
	}
	add("no-code", "answers a server that closes without a code", []evidence.Capability{evidence.ChosenCode}, nil,
		peers.Opened(append([]peers.Step{peers.Trigger{}, peers.Ask{Command: "close"}}, polite...)...),
		[]rules.Rule{rules.CodeOnWire}, ends, bounded, rules.IfClosed(rules.AnyCloseEvent()...))
	// A library may also close with another code, at once, or not at all.
	for _, c := range []int{999, 1004, 1005, 1006, 1015} {
		out = append(out, &harness.Scenario{
			ID: fmt.Sprintf("server-close/refused-%d", c), Title: fmt.Sprintf("answers a server whose application closes with %d, which may not be sent", c),
			Needs: []evidence.Capability{evidence.CanClose, evidence.ChosenCode},
			Script: peers.Opened(peers.Trigger{}, peers.Ask{Command: fmt.Sprintf("close %d", c)}, peers.Pause{For: refusal},
				peers.AnswerClose{Else: peers.Send{peers.CloseFrame(1000, "")}}, peers.AwaitEnd{}, peers.Finish{}),
			Rules: append(append(rules.CloseFrames(), rules.CodeOnWire), rules.AnyCloseEvent()...),
		})
	}
	return out
}

// stuck lets the server fill its send buffer, of which the peer reads the
// beginning alone, until the buffer has had time to be full.
func stuck(read peers.Step, then ...peers.Step) peers.Script {
	return append(peers.Script{peers.Connect{ReceiveBuffer: 4 << 10}}, peers.Opened(append([]peers.Step{
		peers.Ask{Command: "fill 8388608"}, peers.AwaitBytes{N: 64 << 10}, read, peers.Pause{For: 250 * time.Millisecond}}, then...)...)[1:]...)
}

// unread is the scenario of a peer behind a full send buffer. Another one asks
// for the Close, of all: a server that cannot write may not read either.
func unread(name, title string, read peers.Step) *harness.Scenario {
	return &harness.Scenario{
		ID: "server-close/" + name, Title: title, Labels: []string{hang}, Alone: true,
		Needs:  []evidence.Capability{evidence.CanKickAll, evidence.CanFill, evidence.Local},
		Script: stuck(read, peers.Gather{}, peers.Leave{}, peers.HoldOpen{}),
		Crowd: []harness.Crowd{{Kind: "asks", Count: 1, Script: peers.Opened(peers.Gather{Lead: true}, peers.Ask{Command: "kick-all 1000"},
			peers.AwaitClose{}, peers.Leave{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{})}},
		Rules: slices.Concat([]rules.Rule{rules.NotBlocked}, rules.CloseEvent(rules.EventLost), rules.CloseFrames()),
	}
}

// Terminate is the family in which the server's application kills the
// connection.
func Terminate() []*harness.Scenario {
	ask := peers.Ask{Command: "terminate"}
	told := []rules.Rule{rules.Terminated, rules.TerminatedSeen, rules.EventLost, rules.EventClean, rules.KillEvent, rules.EventInTime}
	scenario := func(name, title string, script peers.Script, needs ...evidence.Capability) *harness.Scenario {
		return &harness.Scenario{
			ID: "terminate/" + name, Title: title, Needs: append([]evidence.Capability{evidence.CanTerminate}, needs...),
			Script: script, Rules: told,
		}
	}
	// Behind a full send buffer the command may not be read, which cannot be told
	// from a kill that does nothing: that is measured and not judged.
	unread := scenario("stops-reading", "has stopped reading, with the server's send buffer full",
		stuck(peers.StopReading{}, peers.Trigger{}, ask, peers.HoldOpen{}), evidence.CanFill, evidence.Local)
	unread.Rules = []rules.Rule{rules.Lifetime, rules.TerminatedSeen, rules.EventLost, rules.EventClean, rules.KillEvent}
	return []*harness.Scenario{
		scenario("polite", "reads on, and ends TCP when the server does",
			peers.Opened(peers.Trigger{}, ask, peers.AwaitEnd{}, peers.Finish{})),
		scenario("ignores", "holds the connection", peers.Opened(peers.Trigger{}, ask, peers.HoldOpen{})),
		scenario("vanished", "is dark", peers.Opened(peers.Vanish{}, peers.Trigger{}, ask, peers.HoldOpen{}), evidence.Local, evidence.Dark),
		unread,
		scenario("mid-message", "is between two fragments of a message",
			peers.Opened(peers.Trigger{}, peers.Ask{Command: "terminate", Then: []peers.Frame{{Opcode: peers.OpText, Part: true, Payload: []byte("half")}}}, peers.AwaitEnd{}, peers.Finish{})),
	}
}
