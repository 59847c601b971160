package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Abnormal is the family in which the peer ends TCP, or vanishes, without a closing
// handshake.
func Abnormal() []*harness.Scenario { return append(endsWithoutClose(), vanishes()...) }

func endsWithoutClose() []*harness.Scenario {
	released := append([]rules.Rule{rules.LetsGoAfterTCPEnd}, rules.CloseEvent(rules.EventLost)...)
	ended := slices.Concat([]rules.Rule{rules.EndsAfterFIN}, released, rules.CloseFrames())
	const last = "last words"
	return []*harness.Scenario{
		{
			ID: "abnormal/fin", Title: "closes its socket: it sends FIN, and RST for whatever arrives later",
			Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.CloseSocket{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/half-close", Title: "sends FIN and goes on reading",
			Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  ended,
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
		{
			ID: "abnormal/half-close-keeps-reading-echo", Title: "sends a text message and FIN, and reads on for the echo",
			Needs: []evidence.Capability{evidence.Echo}, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.Send{peers.Text(last)}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  slices.Concat(ended, []rules.Rule{rules.LastEcho(last)}),
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
		{
			ID: "abnormal/rst", Title: "resets the connection",
			Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/rst-while-server-writes", Title: "resets the connection while the server is blocked writing echoes",
			Needs: []evidence.Capability{evidence.Echo}, Labels: []string{tcp},
			Script: blocksEchoes(16<<20, peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/mid-frame-fin", Title: "closes its socket in the middle of a frame",
			Labels: []string{tcp},
			Script: peers.Opened(partOfFrame(), peers.Trigger{}, peers.CloseSocket{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/mid-frame-rst", Title: "resets the connection in the middle of a frame",
			Labels: []string{tcp},
			Script: peers.Opened(partOfFrame(), peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/mid-message-fin", Title: "closes its socket after the first fragment of a message",
			Labels: []string{tcp},
			Script: peers.Opened(peers.Send{fragment("half a message")}, peers.Trigger{}, peers.CloseSocket{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "abnormal/mid-message-stall", Title: "sends part of a frame and then nothing more",
			Labels: []string{hang},
			Script: peers.Opened(partOfFrame(), peers.Trigger{}, peers.HoldOpen{}),
			Rules:  slices.Concat([]rules.Rule{rules.Keepalive}, eventOnceReleased(), rules.CloseFrames()),
			Asks:   asks(rules.Keepalive),
		},
		{
			ID: "abnormal/close-frame-half-sent", Title: "sends part of a Close frame and FIN, and goes on reading",
			Labels: []string{tcp, hang},
			Script: peers.Opened(partOfCloseFrame(), peers.Trigger{}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  ended,
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
	}
}

func vanishes() []*harness.Scenario {
	needs := []evidence.Capability{evidence.Dark}
	detected := append([]rules.Rule{rules.Keepalive, rules.KeepaliveDeclared}, eventOnceReleased()...)
	return []*harness.Scenario{
		{
			ID: "abnormal/vanish-idle", Title: "vanishes without a packet while the connection is idle",
			Needs: needs, Labels: []string{dark, hang},
			Script: peers.Opened(peers.Trigger{}, peers.GoDark{}, peers.HoldOpen{}),
			Rules:  detected,
			Asks:   asks(rules.Keepalive, rules.KeepaliveDeclared),
		},
		{
			ID: "abnormal/vanish-mid-message", Title: "vanishes without a packet in the middle of a frame",
			Needs: needs, Labels: []string{dark, hang},
			Script: peers.Opened(partOfFrame(), peers.AwaitAcked{}, peers.Trigger{}, peers.GoDark{}, peers.HoldOpen{}),
			Rules:  detected,
			Asks:   asks(rules.Keepalive, rules.KeepaliveDeclared),
		},
		{
			ID: "abnormal/vanish-after-close", Title: "closes with 1000 while it drops every packet from the server",
			Needs: needs, Labels: []string{dark, hang},
			Script: peers.Opened(peers.GoDark{}, peers.Trigger{}, close1000(), peers.HoldOpen{}),
			Rules:  append([]rules.Rule{rules.LetsGoOfVanished}, rules.CloseEvent(rules.EventCode)...),
			Asks:   asks(rules.LetsGoOfVanished),
		},
		{
			ID: "abnormal/reboot", Title: "forgets the connection, and answers the server's next segment with RST",
			Needs: []evidence.Capability{evidence.NetAdmin}, Labels: []string{privileged, hang},
			Script: openedBy(peers.Connect{KeepPort: true},
				peers.AwaitAcked{}, peers.Trigger{}, peers.Forget{}, peers.HoldOpen{}),
			Rules: detected,
			Asks:  asks(rules.Keepalive, rules.KeepaliveDeclared),
		},
		{
			ID: "abnormal/outage-5s", Title: "drops every packet from the server for 5 s, and then closes with 1000",
			Needs: []evidence.Capability{evidence.Dark}, Labels: []string{dark},
			Script: endsTCPAfter(peers.Trigger{},
				peers.GoDark{}, peers.Pause{For: 5 * time.Second}, peers.ComeBack{}, close1000()),
			Rules: append([]rules.Rule{rules.Outage, rules.OneEvent}, rules.CloseFrames()...),
			Asks:  asks(rules.Outage),
		},
	}
}

// eventOnceReleased are the rules on the close event of a connection for whose end there
// is no limit: they do not ask when it comes.
func eventOnceReleased() []rules.Rule {
	return []rules.Rule{rules.EventLost, rules.EventClean, rules.OneEventOnceReleased}
}
