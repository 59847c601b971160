package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness"
)

// addWitnesses adds the flags that say who tells how long the server's process holds its sockets.
func addWitnesses(c *cobra.Command, o *harness.Options) {
	f := c.Flags()
	f.Var((*witness)(&o.Witness), "witness", "who tells how long the server's process holds its sockets: auto, "+
		"which is the kernel or an observer and else probes; kernel; probes; observer; or all that are there, compared")
	f.IntVar(&o.Witnesses, "witnesses", harness.WitnessesDefault, "how many further peers may play a scenario, each of which "+
		"probes at another time")
	f.IntVar(&o.MaxConnections, "max-connections", 0, "how many connections are open at the same time, crowds aside (default "+
		strconv.Itoa(harness.MaxConnectionsDefault)+" and all scenarios)")
}

// checkWitnesses returns an error if a number is out of its range.
func checkWitnesses(o harness.Options) error {
	if err := within(o.Witnesses, 1, mostWitnesses); err != nil {
		return fmt.Errorf("--witnesses %w", err)
	}
	if err := within(o.MaxConnections, 0, mostPeers); err != nil {
		return fmt.Errorf("--max-connections %w", err)
	}
	return nil
}

// mostWitnesses is how many witnesses a scenario may have.
const mostWitnesses = 100

// witness is a mode as a flag.
type witness harness.WitnessMode

const auto = "auto"

// Set implements pflag.Value.
func (w *witness) Set(s string) error {
	modes := []harness.WitnessMode{auto, harness.WitnessKernel, harness.WitnessProbes, harness.WitnessObserver, harness.WitnessAll}
	if !slices.Contains(modes, harness.WitnessMode(s)) {
		return fmt.Errorf("none of %s", strings.Trim(fmt.Sprint(modes), "[]"))
	}
	*w = witness(strings.TrimPrefix(s, auto))
	return nil
}

// String implements pflag.Value.
func (w *witness) String() string {
	if *w == "" {
		return auto
	}
	return string(*w)
}

// Type implements pflag.Value.
func (*witness) Type() string { return "mode" }
