package scenarios

import (
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Sanity is the control group: a well-behaved peer.
func Sanity() []*harness.Scenario {
	return []*harness.Scenario{
		{
			ID: "sanity/echo", Title: "sends a text message, gets its echo, and closes with 1000",
			Needs:  []evidence.Capability{evidence.Echo},
			Script: endsTCPAfter(peers.Send{peers.Text("hello")}, peers.AwaitText{Text: "hello"}, peers.Trigger{}, close1000()),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered, rules.ClosesTCP),
		},
		{
			ID: "sanity/close", Title: "closes with 1000 right after the handshake",
			Script: sends(peers.CloseFrame(1000, "")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered, rules.ClosesTCP),
		},
	}
}
