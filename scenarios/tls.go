package scenarios

import (
	"slices"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// TLS is the family in which TLS and TCP do not end together; it needs a wss target.
func TLS() []*harness.Scenario {
	wss := []evidence.Capability{evidence.TLS}
	released := append([]rules.Rule{rules.LetsGoAfterTCPEnd}, rules.CloseEvent(rules.EventLost)...)
	ended := slices.Concat([]rules.Rule{rules.EndsAfterFIN}, released, rules.CloseFrames())
	return []*harness.Scenario{
		{
			ID: "tls/close-notify-first", Title: "sends close_notify with neither a Close frame nor FIN, and goes on reading",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.CloseNotify{}, peers.HoldOpen{}),
			Rules:  slices.Concat(ended, []rules.Rule{rules.ClosesTLSCleanly}),
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
		{
			ID: "tls/no-close-notify", Title: "sends FIN with neither close_notify nor a Close frame, and goes on reading",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.HalfClose{Bare: true}, peers.HoldOpen{}),
			Rules:  ended,
			Asks:   asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
		{
			ID: "tls/no-close-notify-after-close", Title: "closes with 1000, and sends FIN without close_notify",
			Needs: wss, Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, close1000(), peers.AwaitEnd{}, peers.Finish{Bare: true}),
			Rules:  rules.Answer(rules.ClosesTLSCleanly),
			Asks:   asks(rules.ClosesTCP, rules.ClosesTLSCleanly),
		},
		{
			ID: "tls/rst-under-tls", Title: "resets the TCP connection under TLS",
			Needs: wss, Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
			Asks:   asks(rules.LetsGoAfterTCPEnd),
		},
		{
			ID: "tls/truncated-record", Title: "sends part of a TLS record and FIN without close_notify, and goes on reading",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.SendRecordPart{Frame: peers.Text("a record that is cut"), Leave: 7},
				peers.Trigger{}, peers.HalfClose{Bare: true}, peers.HoldOpen{}),
			Rules: ended,
			Asks:  asks(rules.LetsGoAfterTCPEnd, rules.EndsAfterFIN),
		},
	}
}
