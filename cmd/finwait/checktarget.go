package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/settings"
)

// checkLimit is how long check-target waits for the effect of each command. A server that obeys
// needs much less.
const checkLimit = 3 * time.Second

func checkTargetCommand() *cobra.Command {
	var t targetFlags
	var conf config
	c := &cobra.Command{
		Use:   "check-target [URL]",
		Short: "Show which commands of the control contract a server obeys",
		Long: `Try everything that the control contract (docs/contract.md) asks of a server,
and show which commands work and what is wrong with those that do not.

Exit status: 0 every command that the server claims works, 1 one does not,
2 not carried out.`,
		Example:           "  finwait check-target ws://127.0.0.1:8080/",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			args, err := conf.load(c, args)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return fmt.Errorf("which server? give its URL, here or as url in %s", settings.File)
			}
			target, err := t.target(args[0])
			if err != nil {
				return err
			}
			target.Profile.CloseTimeout = checkLimit
			conformance, err := contract.CheckTarget(c.Context(), target)
			if err != nil {
				return withHint(target, err)
			}
			out, works, wrong := c.OutOrStdout(), 0, 0
			for _, check := range conformance.Checks {
				word := "missing"
				switch {
				case check.Works:
					word = "works"
					works++
				case check.Claimed:
					word = "wrong"
					wrong++
				}
				fmt.Fprintf(out, "%-7s  %-24s  %s\n", word, check.Command, reports.OneLine(check.Got))
			}
			fmt.Fprintf(out, "\n%d work, %d wrong, %d missing.\n", works, wrong, len(conformance.Checks)-works-wrong)
			if wrong > 0 {
				return errFailed
			}
			return nil
		},
	}
	t.addReach(c)
	conf.add(c)
	return c
}
