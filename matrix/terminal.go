package matrix

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/finwait/finwait/reports"
)

// Terminal writes the matrix as a table, and its problems below the table.
func (m *Matrix) Terminal(w io.Writer) error {
	if len(m.Profile.Rules) > 0 {
		fmt.Fprintf(w, "rules with a weight of their own: %s\n", m.Profile.Rules)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "target\tversion\tpass\tfail\twarn\tinfo\tskip\terror\tclose() ignored\thard kill\tno FIN")
	for _, o := range m.Targets {
		if o.Error != "" {
			fmt.Fprintf(t, "%s\t%s\tnot measured\n", reports.OneLine(o.Name), reports.OneLine(o.LibVersion))
			continue
		}
		fmt.Fprintf(t, "%s\t%s", reports.OneLine(o.Name), reports.OneLine(o.LibVersion))
		for _, n := range o.totals() {
			fmt.Fprintf(t, "\t%d", n)
		}
		for _, id := range []string{"server-close/ignores", "terminate/ignores", "linger/no-fin"} {
			fmt.Fprintf(t, "\t%s", o.cell(id).figures())
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, o := range m.Targets {
		for _, problem := range o.Problems() {
			fmt.Fprintf(w, "\n%s", reports.OneLine(problem))
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}
