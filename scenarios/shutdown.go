package scenarios

import (
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// CrowdSize is how many peers a shutdown scenario has where nothing is said.
const CrowdSize = 50

// Shutdown is the family in which the server's process is asked to stop, with a
// crowd of n peers attached.
func Shutdown(n int) []*harness.Scenario {
	polite := []peers.Step{peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}}
	member := func(kind string, count int, script peers.Script) harness.Crowd {
		return harness.Crowd{Kind: kind, Count: count, Script: script}
	}
	joined := func(steps ...peers.Step) peers.Script {
		return peers.Opened(append([]peers.Step{peers.Gather{After: known}}, steps...)...)
	}
	behaves := func(n int) harness.Crowd { return member("polite", n, joined(polite...)) }
	ignores := func(n int) harness.Crowd { return member("ignores", n, joined(peers.HoldOpen{})) }
	noFIN := func(n int) harness.Crowd {
		return member("no-fin", n, joined(peers.AwaitClose{}, peers.AnswerClose{}, peers.HoldOpen{}))
	}
	vanished := func(n int) harness.Crowd {
		return member("vanished", n, peers.Opened(peers.Vanish{}, peers.Gather{}, peers.HoldOpen{}))
	}
	stopped := func(n int) harness.Crowd {
		return member("stops-reading", n, append(peers.Script{peers.Connect{ReceiveBuffer: 4 << 10}}, peers.Opened(peers.StopReading{},
			peers.SendUntilBlocked{Frame: peers.Filler(16 << 10), Max: 8 << 20, Stall: 250 * time.Millisecond}, peers.Gather{}, peers.HoldOpen{})[1:]...))
	}
	knocking := func(n int) []harness.Crowd {
		var out []harness.Crowd
		for i := range n {
			out = append(out, member(evidence.Connecting, 1, append(peers.Script{peers.Knock{After: time.Duration(i+1) * 20 * time.Millisecond}}, polite...)))
		}
		return out
	}
	fifth := max(n/5, 1)
	lead := peers.Opened(append([]peers.Step{peers.Gather{Lead: true}, peers.Ask{Command: "stop"}}, polite...)...)
	told := []rules.Rule{rules.EveryoneWarned, rules.ShutdownCode, rules.Exits, rules.ExitStatus, rules.EndsByKind}
	scenario := func(name, title string, rule []rules.Rule, crowd []harness.Crowd, needs ...evidence.Capability) *harness.Scenario {
		return &harness.Scenario{
			ID: "shutdown/" + name, Title: title, Needs: append([]evidence.Capability{evidence.CanStop}, needs...), Labels: []string{hang},
			Script: lead, Crowd: crowd, Stops: true, Rules: rule,
		}
	}
	return []*harness.Scenario{
		scenario("polite", "stops a server whose peers answer its Close and end TCP", told, []harness.Crowd{behaves(n)}),
		scenario("ignoring", "stops a server whose peers ignore its Close", told, []harness.Crowd{ignores(n)}),
		scenario("no-fin", "stops a server whose peers answer its Close and never send FIN", told, []harness.Crowd{noFIN(n)}),
		scenario("vanished", "stops a server whose peers have vanished without a packet", told, []harness.Crowd{vanished(n)}, evidence.Dark, evidence.Local),
		scenario("stopped-reading", "stops a server of whose peers a fifth have stopped reading", told, []harness.Crowd{behaves(n - fifth), stopped(fifth)}, evidence.Echo),
		scenario("mixed", "stops a server with a fifth of its peers of each kind", told,
			[]harness.Crowd{behaves(max(n-4*fifth, 1)), ignores(fifth), noFIN(fifth), vanished(fifth), stopped(fifth)}, evidence.Dark, evidence.Local, evidence.Echo),
		scenario("mid-handshake", "stops a server whose peers have sent half of the upgrade request", told,
			[]harness.Crowd{member("mid-handshake", n, peers.Script{peers.Connect{}, peers.SendRequest{Half: true}, peers.Gather{}, peers.HoldOpen{}})}),
		scenario("connecting", "stops a server while new peers connect every 20 ms", []rules.Rule{rules.NoneForgotten, rules.EveryoneWarned, rules.Exits, rules.ExitStatus, rules.EndsByKind},
			append([]harness.Crowd{behaves(fifth)}, knocking(max(n-fifth, 1))...)),
	}
}
