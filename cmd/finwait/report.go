package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/input"
	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
)

// reportFiles are the reports of a run that are written besides the printed text.
type reportFiles struct {
	junit, json, html, markdown string
	junitStrict, github         bool
}

func (r *reportFiles) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.junit, "junit", "", "write a JUnit report to `file`")
	f.BoolVar(&r.junitStrict, "junit-strict", false, "leave out of the JUnit report what Jenkins' schema does not allow "+
		"(properties of a test case)")
	f.StringVar(&r.json, "json", "", "write everything that was measured to `file`")
	f.StringVar(&r.html, "html", "", "write a page for a browser to `file`")
	f.StringVar(&r.markdown, "markdown", "", "write a summary in Markdown to `file`, at most 60,000 bytes for a comment")
	f.BoolVar(&r.github, "github", false, "print failures and warnings as GitHub's annotations too")
}

// names returns the names of the files. An empty name means that the report is not written.
func (r *reportFiles) names() []string { return []string{r.junit, r.json, r.markdown, r.html} }

// write writes all reports. If one fails, the others are still written.
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

func reportCommand() *cobra.Command {
	var files reportFiles
	var svg string
	var verbose bool
	c := &cobra.Command{
		Use:   "report FILE.json",
		Short: "Write the other reports from a JSON report",
		Long: `Write the other reports of a run or of a crowd from the JSON report that finwait
run --json or finwait crowd --json wrote, with this version or an earlier one; - is
standard input. They say the same as those that the run itself writes. Without a flag
the summary is printed.

What an earlier finwait did not write is filled in where the rest of the report tells
it, and is named in a note where nothing does.

Exit status: 0 the reports are written, whatever the run's verdicts are; 2 not carried
out.`,
		Example: `  finwait report run.json --junit finwait.xml --html finwait.html --markdown finwait.md
  finwait report crowd.json --svg crowd.svg
  gunzip -c run.json.gz | finwait report -`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			outputs := append(files.names(), svg)
			if err := spare(args[0], outputs); err != nil {
				return err
			}
			if err := writable(outputs...); err != nil {
				return err
			}
			run, crowd, err := readAny(c.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			quiet := !verbose && slices.ContainsFunc([]string{"junit", "json", "html", "markdown", "github", "svg"}, c.Flags().Changed)
			out := c.OutOrStdout()
			if crowd != nil {
				return crowdReports(out, crowd, &files, svg, quiet)
			}
			if svg != "" {
				return fmt.Errorf("--svg draws a crowd, and %s is the report of a run: give --html FILE, which has its curves", args[0])
			}
			for _, lack := range run.Lacks {
				fmt.Fprintf(out, "note    %s was written by an earlier finwait: %s\n", reports.OneLine(args[0]), lack)
			}
			if !quiet {
				summary(out, run, verbose)
			}
			return unwritten(nil, files.write(out, run)...)
		},
	}
	files.add(c)
	f := c.Flags()
	f.StringVar(&svg, "svg", "", "draw the survival curves of a crowd into `file`")
	f.BoolVarP(&verbose, "verbose", "v", false, "print the summary, with passes and traces, whatever else is written")
	return c
}

// spare refuses outputs that would take the place of the report that is read.
func spare(in string, outputs []string) error {
	if in == "-" {
		in = "/dev/stdin"
	}
	for _, file := range outputs {
		if file != "" && reports.SameFile(in, file) {
			return fmt.Errorf("%s is the report that is read: write to another file", file)
		}
	}
	return nil
}

// readAny reads the JSON report of a run or of a crowd, and returns nil for the other.
func readAny(stdin io.Reader, file string) (*reports.Report, *reports.Crowd, error) {
	in := io.NopCloser(io.LimitReader(stdin, input.Report))
	if file != "-" {
		var err error
		if in, err = input.Open(file, input.Report); err != nil {
			return nil, nil, err
		}
	}
	defer in.Close()
	run, crowd, err := reports.Read(in)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return run, crowd, nil
}

// summary prints the summary of a run that has ended.
func summary(out io.Writer, run *reports.Report, verbose bool) {
	o := terminal(out)
	o.Live, o.Verbose = false, verbose
	t := reports.NewTerminal(out, o)
	t.Begin(run.Target, len(run.Scenarios), run.Notes...)
	if verbose {
		for i := range run.Scenarios {
			t.Result(&run.Scenarios[i])
		}
	}
	t.End(run)
}

// crowdReports writes the reports of a crowd.
func crowdReports(out io.Writer, crowd *reports.Crowd, files *reportFiles, svg string, quiet bool) error {
	if files.junit+files.html+files.markdown != "" || files.github {
		return errors.New("a crowd has no JUnit, page, Markdown or annotations: give --json FILE or --svg FILE")
	}
	if !quiet {
		fmt.Fprintf(out, "%s against %s, then %s\n", reports.Peers(crowd.Peers()), reports.OneLine(crowd.Target),
			reports.OneLine(crowd.Then))
		reports.CrowdText(out, crowd, terminal(out))
	}
	return unwritten(nil,
		write(files.json, func(w io.Writer) error { return reports.CrowdJSON(w, crowd) }),
		write(svg, func(w io.Writer) error { return reports.CrowdSVG(w, crowd) }))
}
