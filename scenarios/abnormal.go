package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Abnormal is the family in which TCP ends, or goes dark, without a Close frame.
func Abnormal() []*harness.Scenario {
	local := []evidence.Capability{evidence.Local}
	lost := []evidence.Capability{evidence.Dark, evidence.Local}
	released := append([]rules.Rule{rules.LetsGoAfterTCPEnd}, rules.CloseEvent(rules.EventLost)...)
	ended := slices.Concat([]rules.Rule{rules.EndsAfterFIN}, released, rules.CloseFrames())
	later := []rules.Rule{rules.EventLost, rules.EventClean, rules.OneEvent} // once the process has let go, whenever that is
	vanished := append([]rules.Rule{rules.Keepalive, rules.KeepaliveDeclared}, later...)
	half := peers.SendPart{Frame: peers.Text("a frame that is cut in the middle"), Leave: 17}
	fragment := peers.Send{{Opcode: peers.OpText, Part: true, Payload: []byte("half a message")}}
	return []*harness.Scenario{
		{
			ID: "abnormal/fin", Title: "closes its socket: FIN, and RST for whatever comes later",
			Needs: local, Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.HangUp{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "abnormal/half-close", Title: "sends FIN and reads on",
			Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  ended,
		},
		{
			ID: "abnormal/half-close-keeps-reading-echo", Title: "sends a text and FIN, and reads on for the echo",
			Needs: []evidence.Capability{evidence.Echo}, Labels: []string{tcp, hang},
			Script: peers.Opened(peers.Trigger{}, peers.Send{peers.Text("last words")}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  append(ended[:len(ended):len(ended)], rules.LastEcho("last words")),
		},
		{
			ID: "abnormal/rst", Title: "resets the connection",
			Needs: local, Labels: []string{tcp},
			Script: peers.Opened(peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "abnormal/rst-while-server-writes", Title: "resets the connection while the server is blocked in writing echoes",
			Needs: []evidence.Capability{evidence.Local, evidence.Echo}, Labels: []string{tcp},
			Script: append(peers.Script{peers.Connect{ReceiveBuffer: 4 << 10}}, peers.Opened(
				peers.StopReading{}, peers.SendUntilBlocked{Frame: peers.Filler(16 << 10), Max: 16 << 20, Stall: 250 * time.Millisecond},
				peers.Trigger{}, peers.Reset{}, peers.HoldOpen{})[1:]...),
			Rules: released,
		},
		{
			ID: "abnormal/mid-frame-fin", Title: "closes its socket in the middle of a frame",
			Needs: local, Labels: []string{tcp},
			Script: peers.Opened(half, peers.Trigger{}, peers.HangUp{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "abnormal/mid-frame-rst", Title: "resets the connection in the middle of a frame",
			Needs: local, Labels: []string{tcp},
			Script: peers.Opened(half, peers.Trigger{}, peers.Reset{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "abnormal/mid-message-fin", Title: "closes its socket between two fragments of a message",
			Needs: local, Labels: []string{tcp},
			Script: peers.Opened(fragment, peers.Trigger{}, peers.HangUp{}, peers.HoldOpen{}),
			Rules:  released,
		},
		{
			ID: "abnormal/mid-message-stall", Title: "announces a frame, sends half of it, and holds",
			Labels: []string{hang},
			Script: peers.Opened(half, peers.Trigger{}, peers.HoldOpen{}),
			Rules:  slices.Concat([]rules.Rule{rules.Keepalive}, later, rules.CloseFrames()),
		},
		{
			ID: "abnormal/close-frame-half-sent", Title: "sends half a Close frame and FIN, and reads on",
			Labels: []string{tcp, hang},
			Script: peers.Opened(peers.SendPart{Frame: peers.CloseFrame(1000, "bye"), Leave: 3}, peers.Trigger{}, peers.HalfClose{}, peers.HoldOpen{}),
			Rules:  ended,
		},
		{
			ID: "abnormal/vanish-idle", Title: "vanishes without a packet from an idle connection",
			Needs: lost, Labels: []string{dark, hang},
			Script: peers.Opened(peers.Trigger{}, peers.Vanish{}, peers.HoldOpen{}),
			Rules:  vanished,
		},
		{
			ID: "abnormal/vanish-mid-message", Title: "vanishes without a packet in the middle of a frame",
			Needs: lost, Labels: []string{dark, hang},
			Script: peers.Opened(half, peers.AwaitAcked{}, peers.Trigger{}, peers.Vanish{}, peers.HoldOpen{}),
			Rules:  vanished,
		},
		{
			ID: "abnormal/vanish-after-close", Title: "closes with 1000, with all that comes from the server lost",
			Needs: lost, Labels: []string{dark, hang},
			Script: peers.Opened(peers.Vanish{}, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.HoldOpen{}),
			Rules:  append([]rules.Rule{rules.LetsGoOfVanished}, rules.CloseEvent(rules.EventCode)...),
		},
		{
			ID: "abnormal/reboot", Title: "forgets the connection without a packet: the server's next segment is answered with RST",
			Needs: []evidence.Capability{evidence.NetAdmin, evidence.Local}, Labels: []string{privileged, hang},
			Script: append(peers.Script{peers.Connect{KeepPort: true}},
				peers.Opened(peers.AwaitAcked{}, peers.Trigger{}, peers.Forget{}, peers.HoldOpen{})[1:]...),
			Rules: vanished,
		},
		{
			ID: "abnormal/outage-5s", Title: "is dark for 5 s, comes back, and closes with 1000",
			Needs: []evidence.Capability{evidence.Dark}, Labels: []string{dark},
			Script: peers.Opened(peers.Trigger{}, peers.Vanish{}, peers.Pause{For: 5 * time.Second}, peers.Return{},
				peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{}),
			Rules: append([]rules.Rule{rules.Outage, rules.OneEvent}, rules.CloseFrames()...),
		},
	}
}
