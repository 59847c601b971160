package harness

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
)

// A run opens so many files besides the connections of peers.
const (
	filesOfRun    = 64 // connections that probe and ask, observers, reports
	filesOfServer = 8  // for each server process: its output, its guardian, commands that stop it or make it close
)

// checkCapacity returns an error of one line if this host has not the files and ports for the
// plays that may be under way at the same time.
func checkCapacity(t *servers.Target, scenarios []*Scenario, o Options) error {
	return checkCapacityFor(t, scenarios, o, 0)
}

// checkCapacityFor is [checkCapacity] with so many witnesses at the same time.
func checkCapacityFor(t *servers.Target, scenarios []*Scenario, o Options, witnesses int) error {
	// For each play on the shared server, and on a server of its own: how many peers it has.
	var shared, own []int
	keptPorts := 0 // how many peers keep their ports
	for _, s := range scenarios {
		plays := slices.Repeat([]int{s.crowdSize() + 1}, o.Repeat)
		if t.Process != nil && s.needsOwnServer() {
			own = append(own, plays...)
		} else {
			shared = append(shared, plays...)
		}
		keepsPort := func(step peers.Step) bool { c, ok := step.(peers.Connect); return ok && c.KeepPort }
		if slices.ContainsFunc(s.Script, keepsPort) {
			keptPorts += o.Repeat
		}
	}
	largest := func(sizes []int, n int) []int {
		slices.SortFunc(sizes, func(a, b int) int { return cmp.Compare(b, a) })
		return sizes[:min(n, len(sizes))]
	}
	own = largest(own, serversAtOnce(len(own)/o.Repeat))
	connections, processes := witnesses, 0
	for _, size := range largest(slices.Concat(shared, own), o.AtOnce) {
		connections += size
	}
	if t.Process != nil {
		processes = 1 + min(len(own), o.AtOnce)
	}
	what := fmt.Sprintf("%d plays at once, with %d peers and %d server processes,", o.AtOnce, connections, processes)
	files := connections + keptPorts + filesOfRun + filesOfServer*processes // a second socket keeps a port
	err := cmp.Or(
		peers.CheckFiles(what, files),
		peers.CheckPorts(what, connections+filesOfRun, 1))
	if err != nil && o.AtOnce > 1 {
		return fmt.Errorf("%w, or run fewer at once (--at-once)", err)
	}
	return err
}
