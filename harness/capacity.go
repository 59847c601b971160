package harness

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
)

// How many files finwait opens itself: besides those of peers, its connections
// that probe and ask, its observers and its reports; and for each server process,
// its output, what watches over it, and the commands that stop it or make it close.
const (
	filesOfRun    = 64
	filesOfServer = 8
)

// capacity tells, in one line, whether this host has the files and ports for the
// plays of the scenarios that may be under way at the same time.
func capacity(t *servers.Target, scenarios []*Scenario, o Options) error {
	var shared, own []int // plays on the shared server, and on servers of their own: in peers
	keepers := 0          // peers that keep their ports
	for _, s := range scenarios {
		plays := slices.Repeat([]int{s.others() + 1}, o.Repeat)
		if t.Process != nil && s.ownsServer() {
			own = append(own, plays...)
		} else {
			shared = append(shared, plays...)
		}
		if slices.ContainsFunc(s.Script, func(step peers.Step) bool { c, ok := step.(peers.Connect); return ok && c.KeepPort }) {
			keepers += o.Repeat
		}
	}
	largest := func(sizes []int, n int) []int {
		slices.SortFunc(sizes, func(a, b int) int { return cmp.Compare(b, a) })
		return sizes[:min(n, len(sizes))]
	}
	own = largest(own, serversAtOnce(len(own)/o.Repeat))
	connections, processes := 0, 0
	for _, size := range largest(slices.Concat(shared, own), o.AtOnce) {
		connections += size
	}
	if t.Process != nil {
		processes = 1 + min(len(own), o.AtOnce)
	}
	what := fmt.Sprintf("%d plays at once, with %d peers and %d server processes,", o.AtOnce, connections, processes)
	err := cmp.Or(
		peers.CheckFiles(what, connections+keepers+filesOfRun+filesOfServer*processes), // a port is kept by another socket
		peers.CheckPorts(what, connections+filesOfRun, 1))
	if err != nil && o.AtOnce > 1 {
		return fmt.Errorf("%w, or run fewer at once (--at-once)", err)
	}
	return err
}
