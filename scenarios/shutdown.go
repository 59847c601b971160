package scenarios

import (
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// CrowdSize is how many peers are connected to a server that is stopped, by default.
const CrowdSize = 50

// Shutdown is the family in which the server's process is asked to stop while n peers
// are connected.
func Shutdown(n int) []*harness.Scenario {
	fifth := max(n/5, 1)
	stop := answersCloseAfter(peers.JoinBarrier{Lead: true}, peers.Ask{Command: "stop"})
	stopped := []rules.Rule{rules.EveryoneWarned, rules.ShutdownCode, rules.Exits, rules.ExitStatus, rules.EndsByKind}
	return []*harness.Scenario{
		{
			ID: "shutdown/polite", Title: "stops a server whose peers answer its Close and end TCP",
			Needs: []evidence.Capability{evidence.CanStop}, Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{polite(n)}, Rules: stopped,
			Asks: asks(rules.EveryoneWarned),
		},
		{
			ID: "shutdown/ignoring", Title: "stops a server whose peers ignore its Close",
			Needs: []evidence.Capability{evidence.CanStop}, Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{ignoring(n)}, Rules: stopped,
			Asks: asks(rules.Exits),
		},
		{
			ID: "shutdown/no-fin", Title: "stops a server whose peers answer its Close and never send FIN",
			Needs: []evidence.Capability{evidence.CanStop}, Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{noFIN(n)}, Rules: stopped,
			Asks: asks(rules.Exits),
		},
		{
			ID: "shutdown/vanished", Title: "stops a server whose peers have vanished without a packet",
			Needs:  []evidence.Capability{evidence.CanStop, evidence.Dark},
			Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{vanished(n)}, Rules: stopped,
			Asks: asks(rules.Exits),
		},
		{
			ID: "shutdown/stopped-reading", Title: "stops a server while a fifth of its peers are not reading",
			Needs: []evidence.Capability{evidence.CanStop, evidence.Echo}, Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{polite(n - fifth), notReading(fifth)}, Rules: stopped,
			Asks: asks(rules.Exits),
		},
		{
			ID: "shutdown/mixed", Title: "stops a server while four fifths of its peers hang, each fifth in another way",
			Needs:  []evidence.Capability{evidence.CanStop, evidence.Dark, evidence.Echo},
			Labels: []string{hang}, Stops: true,
			Script: stop,
			Crowd: []harness.Crowd{polite(max(n-4*fifth, 1)),
				ignoring(fifth), noFIN(fifth), vanished(fifth), notReading(fifth)},
			Rules: stopped,
			Asks:  asks(rules.Exits, rules.EveryoneWarned),
		},
		{
			ID: "shutdown/mid-handshake", Title: "stops a server whose peers have sent half of the upgrade request",
			Needs: []evidence.Capability{evidence.CanStop}, Labels: []string{hang}, Stops: true,
			Script: stop, Crowd: []harness.Crowd{midHandshake(n)}, Rules: stopped,
			Asks: asks(rules.Exits),
		},
		{
			ID: "shutdown/connecting", Title: "stops a server while a new peer connects every 20 ms",
			Needs: []evidence.Capability{evidence.CanStop}, Labels: []string{hang}, Stops: true,
			Script: stop,
			Crowd:  slices.Concat([]harness.Crowd{polite(fifth)}, connecting(max(n-fifth, 1))),
			Rules: []rules.Rule{rules.NoneForgotten, rules.EveryoneWarned, rules.Exits, rules.ExitStatus,
				rules.EndsByKind},
			Asks: asks(rules.NoneForgotten),
		},
	}
}

// The kinds of peers that are connected to a server that is stopped.

func polite(n int) harness.Crowd {
	return harness.Crowd{Kind: "polite", Count: n, Script: answersCloseAfter(peers.JoinBarrier{After: registered})}
}

func ignoring(n int) harness.Crowd {
	return harness.Crowd{Kind: "ignores", Count: n, Script: peers.Opened(
		peers.JoinBarrier{After: registered}, peers.HoldOpen{})}
}

func noFIN(n int) harness.Crowd {
	return harness.Crowd{Kind: "no-fin", Count: n, Script: peers.Opened(
		peers.JoinBarrier{After: registered}, peers.AwaitClose{}, peers.AnswerClose{}, peers.HoldOpen{})}
}

func vanished(n int) harness.Crowd {
	return harness.Crowd{Kind: "vanished", Count: n, Script: peers.Opened(
		peers.GoDark{}, peers.JoinBarrier{}, peers.HoldOpen{})}
}

func notReading(n int) harness.Crowd {
	return harness.Crowd{Kind: "stops-reading", Count: n, Script: blocksEchoes(8<<20, peers.JoinBarrier{}, peers.HoldOpen{})}
}

func midHandshake(n int) harness.Crowd {
	return harness.Crowd{Kind: "mid-handshake", Count: n, Script: peers.Script{
		peers.Connect{}, peers.SendRequest{Half: true}, peers.JoinBarrier{}, peers.HoldOpen{}}}
}

// connecting are n peers of which one connects every 20 ms after the server was asked
// to stop.
func connecting(n int) (out []harness.Crowd) {
	for i := range n {
		knock := peers.ConnectAfter{After: time.Duration(i+1) * 20 * time.Millisecond}
		out = append(out, harness.Crowd{Kind: evidence.Connecting, Count: 1,
			Script: append(peers.Script{knock}, answersClose()...)})
	}
	return out
}
