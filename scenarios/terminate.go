package scenarios

import (
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Terminate is the family in which the server's application kills the connection.
func Terminate() []*harness.Scenario {
	terminate := peers.Ask{Command: "terminate"}
	killed := []rules.Rule{rules.Terminated, rules.TerminatedSeen,
		rules.EventLost, rules.EventClean, rules.KillEvent, rules.KillEventInTime}
	return []*harness.Scenario{
		{
			ID: "terminate/polite", Title: "goes on reading while the server terminates the connection, and ends TCP after it",
			Needs:  []evidence.Capability{evidence.CanTerminate},
			Script: endsTCPAfter(peers.Trigger{}, terminate),
			Rules:  killed,
			Asks:   asks(rules.Terminated),
		},
		{
			ID: "terminate/ignores", Title: "keeps its end of TCP open when the server terminates the connection",
			Needs:  []evidence.Capability{evidence.CanTerminate},
			Script: peers.Opened(peers.Trigger{}, terminate, peers.HoldOpen{}),
			Rules:  killed,
			Asks:   asks(rules.Terminated),
		},
		{
			ID: "terminate/vanished", Title: "drops every packet from the server, which then terminates the connection",
			Needs:  []evidence.Capability{evidence.CanTerminate, evidence.Dark},
			Script: peers.Opened(peers.GoDark{}, peers.Trigger{}, terminate, peers.HoldOpen{}),
			Rules:  killed,
			Asks:   asks(rules.Terminated),
		},
		{
			ID:     "terminate/stops-reading",
			Title:  "has stopped reading, and the server's send buffer is full, when the server terminates the connection",
			Needs:  []evidence.Capability{evidence.CanTerminate, evidence.CanFill},
			Script: behindFullSendBuffer(peers.StopReading{}, peers.Trigger{}, terminate, peers.HoldOpen{}),
			// A server whose send buffer is full may not read the command. finwait cannot tell
			// that from a kill that does nothing, so it measures and does not judge.
			Rules: []rules.Rule{rules.LifetimeUnread, rules.TerminatedSeen, rules.EventLost, rules.EventClean, rules.KillEvent},
			Asks:  asks(rules.LifetimeUnread),
		},
		{
			ID:     "terminate/mid-message",
			Title:  "sends the first fragment of a message as the server terminates the connection",
			Needs:  []evidence.Capability{evidence.CanTerminate},
			Script: endsTCPAfter(peers.Trigger{}, peers.Ask{Command: "terminate", Then: []peers.Frame{fragment("half")}}),
			Rules:  killed,
			Asks:   asks(rules.Terminated),
		},
	}
}
