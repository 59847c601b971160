package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
)

// markdown writes the table of all targets and, for each, what is not a pass.
// It says that the verdicts are the same only where it is told so.
func markdown(w io.Writer, results []measured, at time.Time, runs int, agreed bool) error {
	var b strings.Builder
	p, _ := harness.Profile{}.WithDefaults()
	verdicts := "that did not all succeed"
	if agreed {
		verdicts = "with the same verdicts"
	}
	fmt.Fprintf(&b, "# Real servers\n\nWritten by `go run ./targets/figures` on %s (%s/%s): each server with its library's defaults, %d runs of the\nurl catalogue %s. Limits: close timeout %s (%s with its tolerance), response %s, patience %s.\n",
		at.Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runs, verdicts, p.CloseTimeout, p.CloseLimit(), p.Response, p.Patience)
	b.WriteString("\n| target | library | version | pass | fail | warn | info | skip | error | longest hold of a peer that closed |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, m := range results {
		if m.run == nil {
			continue
		}
		n := m.run.Count()
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %d | %d | %d | %d | %d | %d | %s |\n", m.target.Name, m.target.Name, m.target.Library, m.target.Version,
			n[harness.Pass], n[harness.Fail], n[harness.Warn], n[harness.Noted], n[harness.Skip], n[harness.Errored], longest(m.run))
	}
	for _, m := range results {
		if m.run != nil {
			section(&b, m)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, m measured) {
	t := m.target
	fmt.Fprintf(b, "\n## %s\n\n[%s](%s) %s, %s. %s.\n", t.Name, t.Library, t.Source, t.Version, t.Language, t.Notes)
	b.WriteString("\n| scenarios | verdict | rule | want | got | because |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, g := range reports.Group(m.run.Results) {
		f := g.Breach()
		if f == nil {
			f = &harness.Finding{Got: g.Result.Err}
		}
		fmt.Fprintf(b, "| %s | %s | %s %s | %s | %s | %s |\n", cell(g.Name()), g.Result.Verdict, f.Rule.ID, f.Rule.Grade, cell(f.Want), cell(f.Got), cell(t.because(g)))
	}
	b.WriteString("\nMeasured:\n\n")
	for _, r := range m.run.Results {
		for _, f := range r.Findings {
			if r.Verdict == harness.Noted && f.Outcome == harness.Measured {
				fmt.Fprintf(b, "- %s: %s\n", r.Scenario.ID, cell(f.Got))
			}
		}
	}
}

// longest is the longest hold among peers that did close.
func longest(run *harness.Run) string {
	var out harness.Survival
	for _, r := range run.Results {
		if family := r.Scenario.Family(); (family == "linger" || family == "peer-close") && r.Record != nil && r.Record.Socket.Held.Until > out.Until {
			out = r.Record.Socket.Held
		}
	}
	return reports.Lifetime(out)
}

// cell escapes what would break a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'", "*", `\*`).Replace(reports.OneLine(s))
}
