package scenarios

import (
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Handshake is the family in which the peer does not complete the opening handshake.
func Handshake() []*harness.Scenario {
	half := peers.SendRequest{Half: true}
	return []*harness.Scenario{
		{
			ID: "handshake/half-request-hold", Title: "sends half of the upgrade request and then nothing more",
			Labels: []string{tcp, hang},
			Script: peers.Script{peers.Connect{}, half, peers.Trigger{}, peers.HoldOpen{}},
			Rules:  []rules.Rule{rules.Lifetime, rules.HandshakeStatus},
			Asks:   asks(rules.HandshakeStatus, rules.Lifetime),
		},
		{
			ID: "handshake/half-request-fin", Title: "sends half of the upgrade request and FIN, and goes on reading",
			Labels: []string{tcp, hang},
			Script: peers.Script{peers.Connect{}, half, peers.Trigger{}, peers.HalfClose{}, peers.HoldOpen{}},
			Rules:  []rules.Rule{rules.EndsAfterFIN, rules.LetsGoAfterTCPEnd, rules.HandshakeStatus},
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
		{
			ID: "handshake/half-request-vanish", Title: "sends half of the upgrade request and vanishes",
			Needs: []evidence.Capability{evidence.Dark}, Labels: []string{tcp, dark, hang},
			Script: peers.Script{peers.Connect{}, half, peers.AwaitAcked{}, peers.Trigger{}, peers.GoDark{}, peers.HoldOpen{}},
			Rules:  []rules.Rule{rules.Lifetime},
			Asks:   asks(rules.Lifetime),
		},
		{
			ID: "handshake/rst-after-request", Title: "sends the upgrade request and resets the connection",
			Labels: []string{tcp},
			Script: peers.Script{peers.Connect{}, peers.Trigger{}, peers.SendRequest{}, peers.Reset{}, peers.HoldOpen{}},
			Rules:  []rules.Rule{rules.LetsGoAfterTCPEnd},
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "handshake/connect-and-say-nothing", Title: "connects and sends nothing",
			Labels: []string{tcp, hang},
			Script: peers.Script{peers.Connect{}, peers.Trigger{}, peers.HoldOpen{}},
			Rules:  []rules.Rule{rules.Lifetime},
			Asks:   asks(rules.Lifetime),
		},
	}
}
