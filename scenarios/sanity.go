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
			ID: "sanity/echo", Title: "sends a text, gets its echo, and closes with 1000",
			Needs: []evidence.Capability{evidence.Echo},
			Script: peers.Opened(
				peers.Send{peers.Text("hello")}, peers.AwaitText{Text: "hello"},
				peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{}),
			Rules: rules.Answer(),
		},
		{
			ID: "sanity/close", Title: "closes with 1000 right after the handshake",
			Script: closes(peers.CloseFrame(1000, "")),
			Rules:  rules.Answer(),
		},
	}
}

// closes is a peer that sends these frames in one write and then behaves.
func closes(frames ...peers.Frame) peers.Script {
	return peers.Opened(peers.Trigger{}, peers.Send(frames), peers.AwaitEnd{}, peers.Finish{})
}
