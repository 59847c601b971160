package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
)

// reportFiles are the reports of a run that are wanted besides the text.
type reportFiles struct {
	junit, json, html, markdown string
	junitStrict, github         bool
}

func (r *reportFiles) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.junit, "junit", "", "write a JUnit report to `file`")
	f.BoolVar(&r.junitStrict, "junit-strict", false, "leave out of it what Jenkins' schema forbids (properties of a test case)")
	f.StringVar(&r.json, "json", "", "write everything that was measured to `file`")
	f.StringVar(&r.html, "html", "", "write a page for a browser to `file`")
	f.StringVar(&r.markdown, "markdown", "", "write a summary in Markdown to `file`, at most 60,000 bytes for a comment")
	f.BoolVar(&r.github, "github", false, "print failures and warnings as GitHub's annotations too")
}

// names are the files; empty: it is not wanted.
func (r *reportFiles) names() []string { return []string{r.junit, r.json, r.markdown, r.html} }

// write writes them all: one that fails does not cost the others.
func (r *reportFiles) write(stdout io.Writer, run *reports.Report) []error {
	errs := []error{
		write(r.junit, func(w io.Writer) error { return reports.JUnit(w, run, r.junitStrict) }),
		write(r.json, func(w io.Writer) error { return reports.JSON(w, run) }),
		write(r.markdown, func(w io.Writer) error { return reports.Markdown(w, run, reports.CommentMost) }),
		write(r.html, func(w io.Writer) error { return page.Report(w, run) }),
	}
	if r.github {
		errs = append(errs, reports.GitHub(stdout, run))
	}
	return errs
}
