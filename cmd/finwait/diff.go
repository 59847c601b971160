package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/input"
	"github.com/finwait/finwait/reports"
)

// mostPercent is the largest threshold: a time that is a thousand times as long.
const mostPercent = 100_000

func diffCommand() *cobra.Command {
	var json, markdown string
	th := reports.Threshold{}
	percent := 20.0
	c := &cobra.Command{
		Use:   "diff OLD.json NEW.json",
		Short: "Compare two JSON reports of finwait run",
		Long: `Tell what changed between two JSON reports that finwait run wrote: verdicts,
rules that are newly broken or kept, how long the server's sockets survived (where
they were not observed, TCP on the wire), the longest of each kind of peer in a
crowd, the median of what was repeated, how long the server's process took to exit,
which Close frame came.

Worse is a graver verdict, a scenario that can no longer be carried out, a rule that
was kept before, and a time that is longer beyond the error bounds of both
measurements and beyond the threshold. A rule that only one of them could judge, and
Close frames that differ, are told, and neither worse nor better.

Exit status: 0 nothing is worse, 1 something is, 2 not carried out.`,
		Example: `  finwait run ws://127.0.0.1:8080/ --json new.json
  finwait diff baseline.json new.json --markdown diff.md`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if !(percent >= 0 && percent <= mostPercent) { // NaN fails both comparisons
				return fmt.Errorf("--threshold %g: give per cent from 0 to %d", percent, mostPercent)
			}
			th.Share = percent / 100
			if err := writable(json, markdown); err != nil {
				return err
			}
			var both [2]*reports.Report
			for i, file := range args {
				var err error
				if both[i], err = readReport(file); err != nil {
					return err
				}
			}
			d := reports.Compare(both[0], both[1], th)
			err := unwritten(d.Text(c.OutOrStdout()), write(json, d.JSON), write(markdown, d.Markdown))
			if err == nil && d.Regressed() {
				return errFailed
			}
			return err
		},
	}
	f := c.Flags()
	f.Float64Var(&percent, "threshold", percent, "how much a time must change, in `per cent` of the old one")
	limitVar(f, &th.Least, "least", 0, 250*time.Millisecond, "how much a time must change at least")
	f.StringVar(&json, "json", "", "write the changes to `file`")
	f.StringVar(&markdown, "markdown", "", "write them as a table in Markdown to `file`")
	return c
}

func readReport(file string) (*reports.Report, error) {
	f, err := input.Open(file, input.Report)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := reports.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
