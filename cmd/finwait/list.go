package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/scenarios"
)

func listCommand() *cobra.Command {
	var selection scenarios.Selection
	var scripts, markdown bool
	c := &cobra.Command{
		Use:   "list [ID or pattern]...",
		Short: "List the catalogue: ids, titles, clauses, scripts",
		Example: `  finwait list
  finwait list 'linger/*' --scripts
  finwait list --label privileged`,
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			selection.Only = args
			chosen, err := selection.Apply(scenarios.All())
			if err != nil {
				return err
			}
			switch out := c.OutOrStdout(); {
			case markdown:
				return listMarkdown(out, chosen)
			case scripts:
				return listScripts(out, chosen)
			default:
				w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				for _, s := range chosen {
					fmt.Fprintf(w, "%s\t%s\n", s.ID, s.Title)
				}
				return w.Flush()
			}
		},
	}
	f := c.Flags()
	f.StringArrayVar(&selection.Labels, "label", nil, "list only scenarios with this `label` (repeatable)")
	f.BoolVar(&scripts, "scripts", false, "show needs, labels, scripts, rules and which of them each scenario asks too")
	f.BoolVar(&markdown, "markdown", false, "write the catalogue as Markdown: docs/scenarios.md")
	c.MarkFlagsMutuallyExclusive("scripts", "markdown")
	return c
}

func listScripts(w io.Writer, list []*harness.Scenario) error {
	for _, s := range list {
		fmt.Fprintf(w, "%s\n  %s\n", s.ID, s.Title)
		if len(s.Needs) > 0 {
			fmt.Fprintf(w, "  needs: %s\n", words(s.Needs))
		}
		if len(s.Labels) > 0 {
			fmt.Fprintf(w, "  labels: %s\n", words(s.Labels))
		}
		if s.Query != "" {
			fmt.Fprintf(w, "  query: %s\n", s.Query)
		}
		fmt.Fprintf(w, "  script:\n    %s\n", indented(s.Script))
		for _, c := range s.Crowd {
			fmt.Fprintf(w, "  script of %s:\n    %s\n", others(c), indented(c.Script))
		}
		fmt.Fprintf(w, "  asks: %s\n  rules:\n", strings.Join(s.Asks, ", "))
		for _, r := range s.Rules {
			fmt.Fprintf(w, "    %-13s %-6s %s (%s)\n", r.ID, r.Grade, r.Text, r.Clause)
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

func listMarkdown(w io.Writer, list []*harness.Scenario) error {
	fmt.Fprintf(w, "# The catalogue\n\nWritten by `finwait list --markdown`. %d scenarios; ids are stable.\n", len(list))
	family := ""
	for _, s := range list {
		if s.Family() != family {
			family = s.Family()
			fmt.Fprintf(w, "\n## %s\n", family)
		}
		var rules []string
		for _, r := range s.Rules {
			rules = append(rules, fmt.Sprintf("%s %s", r.ID, r.Grade))
		}
		fmt.Fprintf(w, "\n### %s\n\nThe peer %s.\n\n", s.ID, s.Title)
		if len(s.Needs) > 0 {
			fmt.Fprintf(w, "- needs: %s\n", words(s.Needs))
		}
		if s.Query != "" {
			fmt.Fprintf(w, "- query: `%s`\n", s.Query)
		}
		_, err := fmt.Fprintf(w, "- asks: %s\n- rules: %s\n- clauses: %s\n\n```\n%s\n```\n",
			strings.Join(s.Asks, ", "), strings.Join(rules, ", "), strings.Join(s.Clauses(), "; "), s.Script)
		if err != nil {
			return err
		}
		for i, c := range s.Crowd {
			if i > 0 && sameButFirst(c, s.Crowd[i-1]) {
				fmt.Fprintf(w, "\nThe script of %s begins with `%s`.\n", others(c), c.Script[0])
				continue
			}
			fmt.Fprintf(w, "\nThe script of %s:\n\n```\n%s\n```\n", others(c), c.Script)
		}
	}
	return nil
}

// others says how many peers play the script of a crowd.
func others(c harness.Crowd) string {
	noun := "other peers"
	if c.Count == 1 {
		noun = "other peer"
	}
	if c.Kind == "" {
		return fmt.Sprintf("%d %s", c.Count, noun)
	}
	return fmt.Sprintf("%d %s (%s)", c.Count, noun, c.Kind)
}

// sameButFirst reports whether two crowds have the same kind and size, and scripts that differ
// only in the first step.
func sameButFirst(a, b harness.Crowd) bool {
	return a.Kind == b.Kind && a.Count == b.Count && a.Script[1:].String() == b.Script[1:].String()
}

func indented(script peers.Script) string { return strings.ReplaceAll(script.String(), "\n", "\n    ") }

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}
