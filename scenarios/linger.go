package scenarios

import (
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/harness/rules"
	"github.com/finwait/finwait/peers"
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
			ID: "linger/keeps-sending", Title: "closes with 1000 and goes on with a text every 100 ms",
			Labels: []string{hang},
			Script: peers.Opened(peers.Trigger{}, bye, peers.AwaitClose{}, peers.KeepSending{Frame: peers.Text(late), Every: 100 * time.Millisecond}),
			Rules:  rules.Answer(),
		},
		{
			ID: "linger/no-ack-of-fin", Title: "closes with 1000 and never acknowledges the server's FIN",
			Needs: []harness.Capability{harness.NetAdmin, harness.Local}, Labels: []string{hang, privileged},
			Script: peers.Opened(peers.DropFIN{}, peers.Trigger{}, bye, peers.HoldOpen{}),
			Rules:  []harness.Rule{rules.LetsGoAfterClose},
		},
		{
			ID: "linger/half-close-early", Title: "closes with 1000, sends FIN at once, and reads on",
			Script: peers.Opened(peers.Trigger{}, bye, peers.HalfClose{}, peers.AwaitEnd{}),
			Rules:  append([]harness.Rule{rules.Answered, rules.AnsweredInTime, rules.AnswerCode, rules.ClosesTCP, rules.LetsGoAfterClose}, rules.CloseFrames()...),
		},
	}
}
