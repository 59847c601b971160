package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Linger is the family in which both sides have sent their Close frames and the peer
// does not close TCP.
func Linger() []*harness.Scenario {
	closing := append(rules.CloseFrames(), rules.CloseEvent(rules.EventCode)...)
	return []*harness.Scenario{
		{
			ID: "linger/no-fin", Title: "closes with 1000 and never sends FIN",
			Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, close1000(), peers.HoldOpen{}),
			Rules:  rules.Answer(),
			Asks:   asks(rules.LetsGoAfterClose, rules.ClosesTCP),
		},
		{
			ID: "linger/no-fin-server-close", Title: "answers the server's Close and never sends FIN",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, peers.Ask{Command: "close 1000"},
				peers.AwaitClose{}, peers.AnswerClose{}, peers.HoldOpen{}),
			Rules: slices.Concat([]rules.Rule{rules.SendsCode(1000, ""),
				rules.ClosesTCP, rules.ClosesFirst, rules.LetsGoAfterClose}, closing),
			Asks: asks(rules.LetsGoAfterClose, rules.ClosesTCP),
		},
		{
			ID: "linger/keeps-sending", Title: "closes with 1000 and, after the answer, sends a text message every 100 ms",
			Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, close1000(), peers.AwaitClose{},
				peers.KeepSending{Frame: peers.Text(late), Every: 100 * time.Millisecond}),
			Rules: rules.Answer(),
			Asks:  asks(rules.LetsGoAfterClose),
		},
		{
			ID: "linger/no-ack-of-fin", Title: "closes with 1000 and never acknowledges the server's FIN",
			Needs: []evidence.Capability{evidence.NetAdmin}, Labels: []string{hang, privileged},
			Script: peers.Opened(peers.DropFIN{}, peers.Trigger{}, close1000(), peers.HoldOpen{}),
			Rules: slices.Concat([]rules.Rule{rules.Answered, rules.AnsweredInTime, rules.AnswerCode,
				rules.LetsGoAfterClose}, closing),
			Asks: asks(rules.LetsGoAfterClose),
		},
		{
			ID: "linger/fin-later", Title: "closes with 1000, and sends FIN 200 ms after the answer",
			Script: peers.Opened(peers.Trigger{}, close1000(), peers.AwaitClose{},
				peers.Pause{For: 200 * time.Millisecond}, peers.Finish{}),
			Rules: rules.Answer(),
			Asks:  asks(rules.LetsGoAfterClose),
		},
		{
			ID: "linger/half-close-early", Title: "closes with 1000, sends FIN in the same segment, and goes on reading",
			Script: peers.Opened(peers.Trigger{}, peers.SendLast(close1000()), peers.AwaitEnd{}),
			Rules: slices.Concat([]rules.Rule{rules.Answered, rules.AnsweredInTime, rules.AnswerCode,
				rules.ClosesTCP, rules.LetsGoAfterClose}, closing),
			Asks: asks(rules.LetsGoAfterClose, rules.ClosesTCP),
		},
	}
}
