package scenarios

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Linger is the family in which both Close frames have passed and the peer
// does not close TCP.
func Linger() []*harness.Scenario {
	bye := peers.Send{peers.CloseFrame(1000, "")}
	return []*harness.Scenario{
		{
			ID: "linger/no-fin", Title: "closes with 1000 and never sends FIN",
			Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, bye, peers.HoldOpen{}),
			Rules:  rules.Answer(),
		},
		{
			ID: "linger/no-fin-server-close", Title: "answers the server's Close and never sends FIN",
			Needs: []evidence.Capability{evidence.CanClose}, Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, peers.Ask{Command: "close 1000"}, peers.AwaitClose{}, peers.AnswerClose{}, peers.HoldOpen{}),
			Rules: append([]rules.Rule{rules.SendsCode(1000, ""), rules.ClosesTCP, rules.ClosesFirst, rules.LetsGoAfterClose},
				append(rules.CloseFrames(), rules.CloseEvent(rules.EventCode)...)...),
		},
		{
			ID: "linger/keeps-sending", Title: "closes with 1000 and goes on with a text every 100 ms",
			Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, bye, peers.AwaitClose{}, peers.KeepSending{Frame: peers.Text(late), Every: 100 * time.Millisecond}),
			Rules:  rules.Answer(),
		},
		{
			ID: "linger/no-ack-of-fin", Title: "closes with 1000 and never acknowledges the server's FIN",
			Needs: []evidence.Capability{evidence.NetAdmin, evidence.Local}, Labels: []string{hang, privileged},
			Script: peers.Opened(peers.DropFIN{}, peers.Trigger{}, bye, peers.HoldOpen{}),
			Rules: append([]rules.Rule{rules.Answered, rules.AnsweredInTime, rules.AnswerCode, rules.LetsGoAfterClose},
				append(rules.CloseFrames(), rules.CloseEvent(rules.EventCode)...)...),
		},
		{
			ID: "linger/fin-later", Title: "closes with 1000, and sends FIN 200 ms after the answer",
			Script: peers.Opened(peers.Trigger{}, bye, peers.AwaitClose{}, peers.Pause{For: 200 * time.Millisecond}, peers.Finish{}),
			Rules:  rules.Answer(),
		},
		{
			ID: "linger/half-close-early", Title: "closes with 1000, with FIN in the same segment, and reads on",
			Script: peers.Opened(peers.Trigger{}, peers.SendLast(bye), peers.AwaitEnd{}),
			Rules: append([]rules.Rule{rules.Answered, rules.AnsweredInTime, rules.AnswerCode, rules.ClosesTCP, rules.LetsGoAfterClose},
				append(rules.CloseFrames(), rules.CloseEvent(rules.EventCode)...)...),
		},
	}
}
