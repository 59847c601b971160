package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/finwait/finwait/harness"
)

// summaryMost is how long a summary gets, in bytes: GitHub shows 1 MiB of each
// step's.
const summaryMost = 900 << 10

// Markdown writes the run as a summary for the page of a CI job or a pull
// request, in GitHub's Markdown: what failed first, what it wants, what it got,
// and the clause.
func Markdown(w io.Writer, run *harness.Run) error {
	n := run.Count()
	head := "passed"
	if n[harness.Fail]+n[harness.Errored] > 0 {
		head = "failed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## finwait: %s\n\n%s against `%s`, in %s: ", head, count(len(run.Results)), strings.ReplaceAll(OneLine(run.Target), "`", "'"), harness.Format(run.Took))
	fmt.Fprintf(&b, "%d passed, %d failed, %d warned, %d measured, %d skipped, %d not carried out.\n",
		n[harness.Pass], n[harness.Fail], n[harness.Warn], n[harness.Noted], n[harness.Skip], n[harness.Errored])
	if run.Stopped != "" {
		fmt.Fprintf(&b, "\n**Ended early:** %s\n", MarkdownText(run.Stopped))
	}
	for _, note := range run.Notes {
		fmt.Fprintf(&b, "\n%s\n", MarkdownText(note))
	}
	if r, held := longest(run.Results); r != nil {
		fmt.Fprintf(&b, "\nThe longest hang was %s, held %s.\n", r.Scenario.ID, Lifetime(held))
	}
	if k := n[harness.Known]; k > 0 {
		fmt.Fprintf(&b, "\nKnown to fail, and excused: %s.\n", count(k))
	}
	groups, left := Group(run.Results), 0
	for _, part := range []struct {
		verdict harness.Verdict
		title   string
	}{{harness.Fail, "Failed"}, {harness.Errored, "Not carried out"}, {harness.Warn, "Warned"}} {
		began := false
		for _, g := range groups {
			if g.Result.Verdict != part.verdict {
				continue
			}
			if !began {
				fmt.Fprintf(&b, "\n### %s\n\n| scenario | want | got | clause |\n| --- | --- | --- | --- |\n", part.title)
				began = true
			}
			want, got, clause := "", Clip(g.Result.Err, 1000), ""
			if f := g.Breach(); f != nil && part.verdict != harness.Errored {
				want, got, clause = f.Want, Clip(f.Got, 1000), fmt.Sprintf("%s: %s (%s, %s)", f.Rule.Clause, f.Rule.Text, f.Rule.Grade, f.Rule.ID)
			}
			row := fmt.Sprintf("| %s | %s | %s | %s |\n", MarkdownText(g.Name()), MarkdownText(want), MarkdownText(got), MarkdownText(clause))
			if b.Len()+len(row) > summaryMost {
				left++
				continue
			}
			b.WriteString(row)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%d more rows are left out: the JSON report has them.\n", left)
	}
	crowds(&b, run.Results)
	_, err := io.WriteString(w, b.String())
	return err
}

// crowds writes how long the sockets survived a stop of the server.
func crowds(b *strings.Builder, results []*harness.Result) {
	began := false
	for _, r := range results {
		if !r.Scenario.Stops || r.Record == nil {
			continue
		}
		for i, k := range Curves(r) {
			if !began {
				b.WriteString("\n### How the crowds were let go\n\n| scenario | process | peers | survival of their sockets |\n| --- | --- | --- | --- |\n")
				began = true
			}
			id, end := "", ""
			if i == 0 {
				id, end = r.Scenario.ID, exitLine(r.Record.Exit)
			}
			fmt.Fprintf(b, "| %s | %s | %d %s | %s |\n", id, MarkdownText(end), k.Curve.N, k.Kind, MarkdownText(k.Summary()))
		}
	}
}

// MarkdownText makes any text one line that Markdown shows as it is, in a cell of
// a table too.
func MarkdownText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, `\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`,
		"[", `\[`, "]", `\]`, "~", `\~`, "#", `\#`, "@", "&#64;", "$", `\$`, "://", "&#58;//").Replace(OneLine(s))
}

// annotations is how many of a step GitHub shows, of each level.
const annotations = 10

// GitHub writes the failures and warnings as annotations, in the commands of
// GitHub's workflows; alike ones together.
func GitHub(w io.Writer, run *harness.Run) error {
	commands := map[harness.Verdict]string{harness.Fail: "error", harness.Errored: "error", harness.Warn: "warning"}
	shown := map[string]int{}
	for _, g := range Group(run.Results) {
		command := commands[g.Result.Verdict]
		if shown[command]++; shown[command] > annotations {
			continue
		}
		message := Explain(g.Result)
		if _, err := fmt.Fprintf(w, "::%s title=%s::%s\n", command, workflow("finwait "+g.Name(), true), workflow(message, false)); err != nil {
			return err
		}
	}
	return nil
}

// workflow escapes a text for a command of GitHub's workflows, or a property of
// one.
func workflow(s string, property bool) string {
	s = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
	if property {
		s = strings.NewReplacer(":", "%3A", ",", "%2C").Replace(s)
	}
	return s
}
