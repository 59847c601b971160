package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Kick is the family in which the server's application closes connections and the
// server goes on.
func Kick() []*harness.Scenario {
	// Every library lets its application close with 4001.
	kickAll := answersKickAfter(peers.JoinBarrier{Lead: true}, peers.Ask{Command: "kick-all 4001"})
	answering := harness.Crowd{Count: 20, Script: answersKickAfter(peers.JoinBarrier{After: registered})}
	ignoring := harness.Crowd{Count: 20, Script: peers.Opened(
		peers.JoinBarrier{After: registered}, peers.AwaitClose{}, peers.LeaveBarrier{}, peers.HoldOpen{})}
	everyone := slices.Concat(
		[]rules.Rule{rules.EveryoneClosed(4001), rules.SendsCode(4001, ""), rules.CrowdReleased},
		rules.CloseEvent(rules.EventCode), rules.CrowdEvents())
	return []*harness.Scenario{
		{
			ID: "kick/all", Title: "asks the server to close all connections; 20 other peers answer",
			Needs: []evidence.Capability{evidence.CanKickAll}, Alone: true,
			Script: kickAll, Crowd: []harness.Crowd{answering}, Rules: everyone,
			Asks: asks(rules.EveryoneClosed(4001)),
		},
		{
			ID: "kick/one-of-50", Title: "sends a frame with a reserved opcode while 49 other peers behave well",
			Needs: []evidence.Capability{evidence.Echo}, Labels: []string{malformed}, Alone: true,
			Script: endsTCPAfter(peers.JoinBarrier{Lead: true}, peers.Send{{Opcode: 3, Payload: []byte("bad")}}, peers.LeaveBarrier{}),
			Crowd: []harness.Crowd{{Count: 49, Script: endsTCPAfter(peers.JoinBarrier{}, peers.Pause{For: 500 * time.Millisecond},
				peers.Send{peers.Text(stillHere)}, peers.AwaitText{Text: stillHere}, peers.LeaveBarrier{}, close1000())}},
			Rules: slices.Concat([]rules.Rule{rules.ClosesAfterViolation, rules.OthersUnharmed(stillHere),
				rules.EventClean, rules.OneEvent, rules.EventInTime}, rules.CrowdEvents()),
			Asks: asks(rules.OthersUnharmed(stillHere)),
		},
		{
			ID:    "kick/all-with-hangers",
			Title: "asks the server to close all connections; 20 other peers answer and 20 ignore the Close",
			Needs: []evidence.Capability{evidence.CanKickAll}, Labels: []string{hang}, Alone: true,
			Script: kickAll, Crowd: []harness.Crowd{answering, ignoring}, Rules: everyone,
			Asks: asks(rules.EveryoneClosed(4001), rules.CrowdReleased),
		},
		{
			ID:    "kick/on-connect",
			Title: "answers a server that sends a text message and closes with 1000 in its connection handler",
			Needs: []evidence.Capability{evidence.CanOpen}, Query: "finwait-open=close%201000",
			Script: append(peers.Script{peers.Connect{}, peers.Trigger{}, peers.SendRequest{}, peers.AwaitUpgrade{}},
				answersClose()...),
			Rules: append([]rules.Rule{rules.MessageFirst, rules.SendsCode(1000, ""), rules.BoundedWait},
				rules.CloseEvent(rules.EventCode)...),
			Asks: asks(rules.MessageFirst),
		},
	}
}
