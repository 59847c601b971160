package reports

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/finwait/finwait/internal/figures"
)

// How long a text in Markdown gets, in bytes: GitHub takes 65,536 characters in a
// comment, and shows 1 MiB of a step's summary.
const (
	CommentMost = 60_000
	SummaryMost = 900 << 10
)

// Markdown writes a report as a summary for the page of a CI job or a pull
// request, in GitHub's Markdown: what failed first, what it wants, what it got,
// and the clause. Rows that do not fit into most bytes are counted instead.
func Markdown(w io.Writer, r *Report, most int) error {
	n := r.count()
	head := "passed"
	if n[Fail]+n[Errored] > 0 {
		head = "failed"
	}
	b := limited{most: most}
	fmt.Fprintf(&b, "## finwait: %s\n\n%s against %s, in %s: ", head, count(len(r.Scenarios)), MarkdownCode(r.Target),
		figures.Format(duration(r.Took)))
	fmt.Fprintf(&b, "%d passed, %d failed, %d warned, %d measured, %d skipped, %d not carried out.\n",
		n[Pass], n[Fail], n[Warn], n[Info], n[Skip], n[Errored])
	if r.Stopped != "" {
		fmt.Fprintf(&b, "\n**Ended early:** %s\n", MarkdownCode(Clip(r.Stopped, 1000)))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", MarkdownCode(Clip(note, 1000)))
	}
	if s, held := longest(r.Scenarios); s != nil {
		fmt.Fprintf(&b, "\nThe longest hang was %s, %s.\n", MarkdownText(s.ID), held.Held())
	}
	if k := n[Known]; k > 0 {
		fmt.Fprintf(&b, "\nKnown to fail, and excused: %s.\n", count(k))
	}
	groups := Group(r.Scenarios)
	for _, part := range []struct {
		verdict, title string
	}{{Fail, "Failed"}, {Errored, "Not carried out"}, {Warn, "Warned"}} {
		began := false
		for _, g := range groups {
			if listedAs(g.Scenario) != part.verdict {
				continue
			}
			if !began {
				fmt.Fprintf(&b, "\n### %s\n\n| scenario | want | got | clause |\n| --- | --- | --- | --- |\n", part.title)
				began = true
			}
			want, got, clause := "", g.Scenario.Error, ""
			if f := g.Breach(); f != nil && part.verdict != Errored {
				want, got, clause = f.Want, f.Got, fmt.Sprintf("%s: %s (%s, %s)", f.Clause, f.Text, f.Grading(), f.Rule)
			}
			got = MarkdownCode(Clip(got, 1000))
			if why := g.Scenario.NotMeasured(); why != "" {
				got += "; " + MarkdownCode(why)
			}
			if known := g.Scenario.Known; known != "" {
				got += "; " + MarkdownText(known)
			}
			b.row("| %s | %s | %s | %s |\n", MarkdownText(g.nameWithIDs()), MarkdownText(want), got, MarkdownText(clause))
		}
	}
	disagreements(&b, r.Scenarios)
	gapTable(&b, r.Scenarios)
	crowdTables(&b, r.Scenarios)
	return b.end(w, "the JSON report has them")
}

// disagreements writes which scenarios' witnesses disagree.
func disagreements(b *limited, list []Scenario) {
	began := false
	for i := range list {
		for _, d := range list[i].Socket.Disagreements() {
			if !began {
				b.WriteString("\n### Witnesses that disagree\n\n" +
					"| scenario | how long the server's process held its socket |\n| --- | --- |\n")
				began = true
			}
			b.row("| %s | %s |\n", MarkdownText(list[i].ID), MarkdownCode(d))
		}
	}
}

// gapTable writes which scenarios were skipped because a rule that they exist for could not be
// measured.
func gapTable(b *limited, list []Scenario) {
	for i, g := range gaps(list) {
		if i == 0 {
			b.WriteString("\n### Not measured\n\nNo rule that could be judged is broken in these scenarios, but the one for " +
				"which each exists could not be judged.\n\n| rules and scenarios | needs | why |\n| --- | --- | --- |\n")
		}
		b.row("| %s | %s | %s |\n", MarkdownText(g.String()), MarkdownText(g.needs), MarkdownCode(Clip(g.why, 1000)))
	}
}

// crowdTables writes how long the sockets survived a stop of the server.
func crowdTables(b *limited, list []Scenario) {
	began := false
	for i := range list {
		s := &list[i]
		if !s.Stops {
			continue
		}
		for i, c := range s.Curves {
			if !began {
				b.WriteString("\n### How long the crowds' sockets lived\n\n| scenario | process | peers | survival of their " +
					"sockets |\n| --- | --- | --- | --- |\n")
				began = true
			}
			id, end := "", ""
			if i == 0 {
				id, end = s.ID, exitLine(s.Exit)
			}
			b.row("| %s | %s | %d %s | %s |\n", MarkdownText(id), MarkdownText(end), c.N, MarkdownText(c.Kind), MarkdownText(c.Summary()))
		}
	}
}

// limited is a text of which rows are left out where it gets longer than most.
type limited struct {
	strings.Builder
	most, left int
}

func (l *limited) row(format string, args ...any) {
	row := fmt.Sprintf(format, args...)
	if l.Len()+len(row) > l.most {
		l.left++
		return
	}
	l.WriteString(row)
}

// end writes the text, with how many rows were left out, and where they are.
func (l *limited) end(w io.Writer, where string) error {
	if l.left > 0 {
		fmt.Fprintf(l, "\n%d more rows are left out: %s.\n", l.left, where)
	}
	_, err := io.WriteString(w, l.String())
	return err
}

// MarkdownText makes finwait's own words, or those of a project's files, one line
// that Markdown shows as it is, in a cell of a table too. What came from elsewhere
// goes through [MarkdownCode]: whatever the escapes, GitHub looks for links,
// mentions and references in what is shown.
func MarkdownText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, `\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`,
		"[", `\[`, "]", `\]`, "~", `\~`, "#", `\#`, "@", "&#64;", "$", `\$`, "://", "&#58;//").Replace(OneLine(s))
}

// MarkdownCode makes what a server said, or a file from elsewhere, a code span: in
// one GitHub makes nothing of it. It is one line, in a cell of a table too; a
// backtick, which would end the span, and a bar, which would end the cell, are
// shown as escapes. Nothing stays nothing.
func MarkdownCode(s string) string {
	if s == "" {
		return ""
	}
	return "`" + escape(s, func(r rune) bool { return unicode.IsPrint(r) && r != '`' && r != '|' }) + "`"
}

// annotations is how many of a step GitHub shows, of each level.
const annotations = 10

// GitHub writes the failures and warnings as annotations, in the commands of
// GitHub's workflows; alike ones together.
func GitHub(w io.Writer, r *Report) error {
	commands := map[string]string{Fail: "error", Errored: "error", Warn: "warning"}
	shown := map[string]int{}
	for _, g := range Group(r.Scenarios) {
		command := commands[listedAs(g.Scenario)]
		if shown[command]++; shown[command] > annotations {
			continue
		}
		message := Explain(g.Scenario)
		if ids := g.IDs(); ids != nil {
			message = strings.Join(ids, ", ") + "\n" + message
		}
		title := workflow("finwait "+g.Name(), true)
		if _, err := fmt.Fprintf(w, "::%s title=%s::%s\n", command, title, workflow(message, false)); err != nil {
			return err
		}
	}
	return nil
}

// workflow escapes a text for a command of GitHub's workflows, or a property of
// one. Like all that is printed, it holds what is printable.
func workflow(s string, property bool) string {
	s = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
	if property {
		s = strings.NewReplacer(":", "%3A", ",", "%2C").Replace(s)
	}
	return OneLine(s)
}
