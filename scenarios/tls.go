package scenarios

import (
	"slices"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// TLS is the family in which TLS and TCP do not end together, on wss targets.
func TLS() []*harness.Scenario {
	wss := []evidence.Capability{evidence.TLS}
	released := append([]rules.Rule{rules.LetsGoAfterTCPEnd}, rules.CloseEvent(rules.EventLost)...)
	ended := slices.Concat([]rules.Rule{rules.EndsAfterFIN}, released, rules.CloseFrames())
	return []*harness.Scenario{
		{
			ID: "tls/close-notify-first", Title: "sends close_notify without a Close frame and without FIN, and reads on",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.CloseNotify{}, peers.HoldOpen{}),
			Rules:  append(ended[:len(ended):len(ended)], rules.ClosesTLSCleanly),
		},
		{
			ID: "tls/no-close-notify", Title: "sends FIN without close_notify and without a Close frame, and reads on",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.HalfClose{Bare: true}, peers.HoldOpen{}),
			Rules:  ended,
		},
		{
			ID: "tls/no-close-notify-after-close", Title: "closes with 1000, and ends TCP without close_notify",
			Needs: wss, Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{Bare: true}),
			Rules:  rules.Answer(rules.ClosesTLSCleanly),
		},
		{
			ID: "tls/rst-under-tls", Title: "resets the connection",
			Needs: append([]evidence.Capability{evidence.Local}, wss...), Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "tls/truncated-record", Title: "cuts a TLS record, sends FIN without close_notify, and reads on",
			Needs: wss, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.SendRecordPart{Frame: peers.Text("a record that is cut"), Leave: 7},
				peers.Trigger{}, peers.HalfClose{Bare: true}, peers.HoldOpen{}),
			Rules: ended,
		},
	}
}
