package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// known is how long a member of a crowd waits after its handshake: the 101 may come
// before the application knows of the connection.
const known = 100 * time.Millisecond

// Kick is the family in which the server's application closes connections and
// goes on.
func Kick() []*harness.Scenario {
	polite := []peers.Step{peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}}
	kicked := append([]peers.Step{peers.AwaitClose{}, peers.Leave{}}, polite[1:]...)
	const stillHere = "still here"
	// 4001 is a code that every library lets its application use.
	kickAll := peers.Opened(append([]peers.Step{peers.Gather{Lead: true}, peers.Ask{Command: "kick-all 4001"}}, kicked...)...)
	told := harness.Crowd{Count: 20, Script: peers.Opened(append([]peers.Step{peers.Gather{After: known}}, kicked...)...)}
	hangs := harness.Crowd{Count: 20, Script: peers.Opened(peers.Gather{After: known}, peers.AwaitClose{}, peers.Leave{}, peers.HoldOpen{})}
	everyone := slices.Concat([]rules.Rule{rules.EveryoneClosed(4001), rules.SendsCode(4001, ""), rules.CrowdReleased}, rules.CloseEvent(rules.EventCode), rules.CrowdEvents())
	return []*harness.Scenario{
		{
			ID: "kick/all", Title: "asks for a kick of all, with 20 others that answer",
			Needs: []evidence.Capability{evidence.CanKickAll}, Alone: true,
			Script: kickAll, Crowd: []harness.Crowd{told}, Rules: everyone,
		},
		{
			ID: "kick/one-of-50", Title: "sends a frame with a reserved opcode, while 49 others behave",
			Needs: []evidence.Capability{evidence.Echo}, Labels: []string{malformed}, Alone: true,
			Script: peers.Opened(peers.Gather{Lead: true}, peers.Send{{Opcode: 3, Payload: []byte("bad")}}, peers.Leave{}, peers.AwaitEnd{}, peers.Finish{}),
			Crowd: []harness.Crowd{{Count: 49, Script: peers.Opened(peers.Gather{}, peers.Pause{For: 500 * time.Millisecond},
				peers.Send{peers.Text(stillHere)}, peers.AwaitText{Text: stillHere}, peers.Leave{},
				peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})}},
			Rules: append([]rules.Rule{rules.ClosesAfterViolation, rules.OthersUnharmed(stillHere), rules.EventClean, rules.OneEvent, rules.EventInTime}, rules.CrowdEvents()...),
		},
		{
			ID: "kick/all-with-hangers", Title: "asks for a kick of all, with 20 others that answer and 20 that ignore the Close",
			Needs: []evidence.Capability{evidence.CanKickAll}, Labels: []string{hang}, Alone: true,
			Script: kickAll, Crowd: []harness.Crowd{told, hangs}, Rules: everyone,
		},
		{
			ID: "kick/on-connect", Title: "answers a server that sends a text and closes with 1000 in its connection handler",
			Needs: []evidence.Capability{evidence.CanOpen}, Query: "finwait-open=close%201000",
			Script: append(peers.Script{peers.Connect{}, peers.Trigger{}, peers.SendRequest{}, peers.AwaitUpgrade{}}, polite...),
			Rules:  append([]rules.Rule{rules.MessageFirst, rules.SendsCode(1000, ""), rules.BoundedWait}, rules.CloseEvent(rules.EventCode)...),
		},
	}
}

// Keepalive is the family of peers that do not answer a Ping.
func Keepalive() []*harness.Scenario {
	life := []rules.Rule{rules.Keepalive, rules.KeepaliveDeclared, rules.EventLost, rules.EventClean, rules.OneEvent}
	return []*harness.Scenario{
		{
			ID: "keepalive/no-pong", Title: "answers no Ping",
			Labels: []string{hang}, Script: peers.Opened(peers.NoPong{}, peers.Trigger{}, peers.HoldOpen{}), Rules: life,
		},
		{
			ID: "keepalive/vanish", Title: "vanishes without a packet after an echo",
			Needs: []evidence.Capability{evidence.Dark, evidence.Local, evidence.Echo}, Labels: []string{dark, hang},
			Script: peers.Opened(peers.Send{peers.Text("hello")}, peers.AwaitText{Text: "hello"}, peers.AwaitAcked{},
				peers.Trigger{}, peers.Vanish{}, peers.HoldOpen{}),
			Rules: life,
		},
	}
}
