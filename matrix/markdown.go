package matrix

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// headlines are the scenarios that people ask about first.
var headlines = []struct{ id, title string }{
	{"server-close/ignores", "close(), the peer never answers"},
	{"server-close/vanishes", "close(), the peer is gone"},
	{"server-close/slow-talker", "close(), the peer talks on"},
	{"server-close/stops-reading", "close(), the peer reads nothing"},
	{"terminate/ignores", "hard kill"},
	{"server-close/no-code", "close() without a code"},
	{"linger/no-fin", "peer closed, sends no FIN"},
	{"abnormal/half-close", "FIN without a Close"},
	{"abnormal/vanish-idle", "peer vanished, idle"},
}

// Markdown writes the matrix as a page: the targets, the headlines, the broken rules with
// their reasons, and every scenario. drawings is the folder of [Matrix.Curves], relative to
// the page. If it is empty, the page has no drawings.
func (m *Matrix) Markdown(w io.Writer, drawings string) error {
	var b strings.Builder
	p := m.Profile
	runs := "one run"
	if m.Runs > 1 {
		runs = fmt.Sprintf("%d runs", m.Runs)
	}
	fmt.Fprintf(&b, `# Real servers

Written by finwait matrix on %s. Each server is its library with its defaults,
on %s; %s of the catalogue (`+"`%s`"+`) each. Limits where a target declares none: close
timeout %s (%s with its tolerance), response %s, patience %s.

`, m.date(), m.Host, runs, m.Catalogue, seconds(p.CloseTimeout), seconds(p.CloseTimeout*1.2+1), seconds(p.Response), seconds(p.Patience))
	if len(p.Rules) > 0 {
		fmt.Fprintf(&b, "Rules with a weight of their own: %s.\n\n", p.Rules)
	}
	b.WriteString("| target | language | library | version | pass | fail | warn | info | skip | error |\n| --- | --- | " +
		"--- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, o := range m.Targets {
		if o.Error != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | not measured: %s ||||||\n", o.Name, reports.MarkdownText(o.Language),
				reports.MarkdownText(o.Library), reports.MarkdownText(o.LibVersion), reports.MarkdownCode(o.Error))
			continue
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |", o.Name, anchor(o.Name), reports.MarkdownText(o.Language),
			reports.MarkdownText(o.Library), reports.MarkdownText(o.LibVersion))
		for _, n := range o.totals() {
			fmt.Fprintf(&b, " %d |", n)
		}
		b.WriteString("\n")
	}
	m.answers(&b)
	m.shutdowns(&b, drawings)
	for _, o := range m.measured() {
		o.section(&b)
	}
	m.everything(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// anchor returns the anchor that GitHub gives to a heading.
func anchor(heading string) string {
	kept := func(r rune) rune {
		if r == ' ' || r == '-' {
			return '-'
		}
		if r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) {
			return unicode.ToLower(r)
		}
		return -1
	}
	return strings.Map(kept, heading)
}

// answers writes the table of the headlines, if any of them was measured.
func (m *Matrix) answers(b *strings.Builder) {
	asked := slices.ContainsFunc(m.measured(), func(o *Outcome) bool {
		for _, h := range headlines {
			if o.cell(h.id) != nil {
				return true
			}
		}
		return false
	})
	if !asked {
		return
	}
	b.WriteString(`
## What people ask first

Each cell: the Close code on the wire / the code in the application's close
event, the end of TCP as the peer saw it, and how long the server's process held
the socket. "–": there was none; "?": the library does not tell; blank: the
target cannot be asked.`)
	if m.any(func(c *Cell) bool { return c.Held != nil && c.Held.Interval() }) {
		b.WriteString(" \"29–31 s\": the process let go of the socket between these two times.")
	}
	b.WriteString("\n\n| target |")
	for _, h := range headlines {
		fmt.Fprintf(b, " %s |", h.title)
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(headlines)+1) + "\n")
	for _, o := range m.measured() {
		if len(o.Only) > 0 {
			continue
		}
		fmt.Fprintf(b, "| %s |", o.Name)
		for _, h := range headlines {
			fmt.Fprintf(b, " %s |", o.cell(h.id).figures())
		}
		b.WriteString("\n")
	}
}

// shutdowns writes how the targets stop.
func (m *Matrix) shutdowns(b *strings.Builder, drawings string) {
	head, estimators := false, "Kaplan-Meier"
	if m.any(func(c *Cell) bool {
		return slices.ContainsFunc(c.Curves, func(k reports.Curve) bool { return k.Estimator != "" })
	}) {
		estimators += "; Turnbull's estimate where ends are known only as intervals"
	}
	for _, o := range m.measured() {
		if o.Shutdown == "" {
			continue
		}
		if !head {
			head = true
			b.WriteString("\n## How they stop\n\nWhich Close code each kind of peer got, how its connections ended on the wire, " +
				"and by when half of the\nserver's sockets were gone (" + estimators + ", with bounds of 95 per cent).\n")
		}
		fmt.Fprintf(b, "\n### %s: %s\n\n| scenario | exit | peers | median life |\n| --- | --- | --- | --- |\n", o.Name,
			reports.MarkdownText(o.Shutdown))
		for _, c := range o.Cells {
			if c.Exit == nil {
				continue
			}
			var lives []string
			for _, k := range c.Curves {
				lives = append(lives, k.Kind+" "+k.Median())
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", c.ID, reports.MarkdownCode(c.Exit.String()),
				reports.MarkdownCode(strings.Join(c.Measured, "; ")), reports.MarkdownText(strings.Join(lives, "; ")))
		}
		if c := o.cell("shutdown/mixed"); drawings != "" && c != nil && len(c.Curves) > 0 {
			fmt.Fprintf(b, "\n![the survival curves of shutdown/mixed on %s](%s)\n", o.Name, drawing(drawings, o, c))
		}
	}
}

// drawing returns the name of the file with the curves of a shutdown scenario.
func drawing(folder string, o *Outcome, c *Cell) string {
	return filepath.ToSlash(filepath.Join(folder, o.Name+"-"+strings.TrimPrefix(c.ID, "shutdown/")+".svg"))
}

// section writes which rules one target broke, and why.
func (o *Outcome) section(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n[%s](%s) %s, %s. %s.\n", o.Name, reports.MarkdownText(o.Library), o.Source,
		reports.MarkdownText(o.LibVersion), reports.MarkdownText(o.Language), reports.MarkdownText(strings.TrimSuffix(o.Notes, ".")))
	if o.Conventions != "" {
		fmt.Fprintf(b, "Declared: %s.\n", reports.MarkdownText(strings.TrimSuffix(o.Conventions, ".")))
	}
	type group struct {
		verdict string
		ids     []string
		Breach
	}
	var groups []*group
	for _, c := range o.Cells {
		for _, br := range c.Breaches {
			if c.Verdict == reports.Fail && br.Finding().Weighs() != rules.Fails {
				continue
			}
			i := slices.IndexFunc(groups, func(g *group) bool {
				return g.verdict == c.Verdict && g.Rule == br.Rule && g.Because == br.Because && family(g.ids[0]) == family(c.ID)
			})
			if i < 0 {
				groups, i = append(groups, &group{verdict: c.Verdict, Breach: br}), len(groups)
			}
			groups[i].ids = append(groups[i].ids, c.ID)
		}
		if c.Verdict == reports.Errored {
			groups = append(groups, &group{verdict: c.Verdict, ids: []string{c.ID}, Breach: Breach{Got: c.Error}})
		}
	}
	for _, c := range o.Cells {
		if len(c.Others) > 0 {
			why := c.Race
			if why == "" {
				why = "not explained"
			}
			fmt.Fprintf(b, "\nNot steady: %s: %s, then %s: %s.\n", c.ID, c.Verdict, strings.Join(c.Others, ", "), reports.MarkdownText(why))
		}
	}
	for _, c := range o.Cells {
		if why := c.Scenario().NotMeasured(); why != "" {
			fmt.Fprintf(b, "\n%s: %s: %s.\n", reports.MarkdownText(c.ID), c.Verdict, reports.MarkdownCode(why))
		}
	}
	if len(groups) == 0 {
		b.WriteString("\nNothing broke.\n")
		return
	}
	b.WriteString("\n| scenarios | verdict | rule | want | got, in the first | because |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, g := range groups {
		fmt.Fprintf(b, "| %s | %s | %s %s | %s | %s | %s |\n", reports.MarkdownText(short(g.ids)), g.verdict, g.Rule,
			g.Finding().Grading(), reports.MarkdownText(g.Want), reports.MarkdownCode(g.Got), reports.MarkdownText(g.Because))
	}
}

// everything writes a table for each family, of scenarios and targets.
func (m *Matrix) everything(b *strings.Builder) {
	targets := slices.DeleteFunc(m.measured(), func(o *Outcome) bool { return len(o.Only) > 0 })
	if len(targets) == 0 {
		return
	}
	b.WriteString("\n## Every scenario\n\nThe verdict, and then as above. Scenarios that are the same for all targets stand together.\n")
	type row struct {
		text string
		ids  []string
	}
	var rows []*row // of one family
	flush := func() {
		if len(rows) == 0 {
			return
		}
		fmt.Fprintf(b, "\n### %s\n\n| scenario |", family(rows[0].ids[0]))
		for _, t := range targets {
			fmt.Fprintf(b, " %s |", t.Name)
		}
		b.WriteString("\n|" + strings.Repeat(" --- |", len(targets)+1) + "\n")
		for _, r := range rows {
			fmt.Fprintf(b, "| %s |%s\n", reports.MarkdownText(short(r.ids)), r.text)
		}
		rows = nil
	}
	for _, c := range targets[0].Cells {
		if len(rows) > 0 && family(rows[0].ids[0]) != family(c.ID) {
			flush()
		}
		var text strings.Builder
		for _, t := range targets {
			text.WriteString(" " + t.cell(c.ID).String() + " |")
		}
		i := slices.IndexFunc(rows, func(r *row) bool { return r.text == text.String() })
		if i < 0 {
			rows, i = append(rows, &row{text: text.String()}), len(rows)
		}
		rows[i].ids = append(rows[i].ids, c.ID)
	}
	flush()
}

// String returns the verdict with the figures.
func (c *Cell) String() string {
	if c == nil {
		return ""
	}
	return strings.TrimSpace(c.Verdict + " " + c.figures())
}

// figures returns the figures of a cell in short: "1000/1006 fin 30 s".
func (c *Cell) figures() string {
	if c == nil || c.Ending == "" {
		return ""
	}
	wire, event := "–", ""
	if c.Wire != nil {
		if wire = "none"; c.Wire.Code != nil {
			wire = fmt.Sprint(*c.Wire.Code)
		}
	}
	if c.Event != nil {
		if event = "/?"; c.Event.Code != nil {
			event = fmt.Sprintf("/%d", *c.Event.Code)
		}
	}
	out := wire + event + " " + c.Ending
	if c.Held != nil {
		out += " " + lifetime(*c.Held)
	}
	return out
}

// lifetime returns a survival in whole seconds; "0 s" is less than half a second. "29–31 s": it
// ended between these two.
func lifetime(s reports.Survival) string {
	switch {
	case s.Censored:
		return fmt.Sprintf("> %.0f s", s.Until)
	case s.Interval():
		return fmt.Sprintf("%.0f–%.0f s", math.Floor(s.Earliest()), math.Ceil(s.Until))
	}
	return fmt.Sprintf("%.0f s", s.Until)
}

// short joins the ids of one family: "family/one, two, three".
func short(ids []string) string {
	f := family(ids[0])
	var names []string
	for _, id := range ids {
		names = append(names, strings.TrimPrefix(id, f+"/"))
	}
	if len(names) > 6 {
		return fmt.Sprintf("%s/%s … %s (%d)", f, names[0], names[len(names)-1], len(names))
	}
	return f + "/" + strings.Join(names, ", ")
}

func family(id string) string {
	f, _, _ := strings.Cut(id, "/")
	return f
}

// any reports whether a cell of a target that has figures is of the kind that is asked for.
func (m *Matrix) any(of func(*Cell) bool) bool {
	return slices.ContainsFunc(m.measured(), func(o *Outcome) bool { return slices.ContainsFunc(o.Cells, of) })
}

// measured returns the targets that have figures.
func (m *Matrix) measured() []*Outcome {
	var out []*Outcome
	for _, o := range m.Targets {
		if o.Error == "" {
			out = append(out, o)
		}
	}
	return out
}

// totals returns the counts of verdicts in the order of the table.
func (o *Outcome) totals() []int {
	n := o.Count()
	var out []int
	for _, v := range []string{reports.Pass, reports.Fail, reports.Warn, reports.Info, reports.Skip, reports.Errored} {
		out = append(out, n[v])
	}
	return out
}

// date returns the first and the last day of the measurements.
func (m *Matrix) date() string {
	var first, last time.Time
	for _, o := range m.Targets {
		if first.IsZero() || o.At.Before(first) {
			first = o.At
		}
		if o.At.After(last) {
			last = o.At
		}
	}
	if from, to := first.Format(time.DateOnly), last.Format(time.DateOnly); from != to {
		return from + " to " + to
	}
	return last.Format(time.DateOnly)
}

func seconds(s float64) string {
	return figures.Format(time.Duration(s * float64(time.Second)))
}

// Curves draws the survival curves of the crowds that were connected when the targets were
// stopped. It writes an SVG file for each target and scenario. The folder must exist.
func (m *Matrix) Curves(folder string) error {
	for _, o := range m.measured() {
		for _, c := range o.Cells {
			if len(c.Curves) == 0 || c.Exit == nil {
				continue
			}
			title := o.Name + ": " + o.Shutdown
			note := c.ID + ", the process: " + c.Exit.String()
			file := drawing(folder, o, c)
			if err := reports.WriteFile(file, func(w io.Writer) error { return reports.SVG(w, title, note, c.Curves) }); err != nil {
				return err
			}
		}
	}
	return nil
}
