package scenarios

import (
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Keepalive is the family of peers that do not answer a Ping.
func Keepalive() []*harness.Scenario {
	detected := append([]rules.Rule{rules.Keepalive, rules.KeepaliveDeclared}, eventOnceReleased()...)
	return []*harness.Scenario{
		{
			ID: "keepalive/no-pong", Title: "answers no Ping",
			Labels: []string{hang},
			Script: peers.Opened(peers.NoPong{}, peers.Trigger{}, peers.HoldOpen{}),
			Rules:  detected,
			Asks:   asks(rules.Keepalive, rules.KeepaliveDeclared),
		},
		{
			ID: "keepalive/vanish", Title: "vanishes without a packet after an echo",
			Needs: []evidence.Capability{evidence.Dark, evidence.Echo}, Labels: []string{dark, hang},
			Script: peers.Opened(peers.Send{peers.Text("hello")}, peers.AwaitText{Text: "hello"}, peers.AwaitAcked{},
				peers.Trigger{}, peers.GoDark{}, peers.HoldOpen{}),
			Rules: detected,
			Asks:  asks(rules.Keepalive, rules.KeepaliveDeclared),
		},
	}
}
