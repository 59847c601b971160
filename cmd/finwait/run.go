package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

func runCommand() *cobra.Command {
	var t targetFlags
	var selection scenarios.Selection
	var files reportFiles
	var verbose bool
	var options harness.Options
	var p processFlags
	var observer observerFlags
	var conf config
	crowd := scenarios.CrowdSize
	c := &cobra.Command{
		Use:   "run [--exec COMMAND] [URL]",
		Short: "Run the catalogue against a server",
		Long: `Run the catalogue against the WebSocket server at URL (ws:// or wss://). All
scenarios run at the same time. Without a URL, finwait's own reference server
is the target.

The server may be anywhere. On its host, in its network namespace, finwait
reads its sockets from the kernel; from elsewhere further peers find out on the
wire how long its process holds them. docs/remote.md says what can be measured
from where.

With --exec, finwait starts and ends the server itself, on a free port. The
command gets the port in $PORT and in the place of {port}. The server is ready
when a WebSocket handshake succeeds. Scenarios that stop the server, or disturb others, get
processes of their own.`,
		Example: `  finwait run
  finwait run ws://127.0.0.1:8080/ --junit finwait.xml
  finwait run wss://staging.example.org/socket --header 'Authorization: Bearer …' --close-timeout 30s
  finwait run --exec 'node server.js' --only shutdown
  finwait run ws://127.0.0.1:8080/ --only 'bad-close/*' --only linger/no-fin -v`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			args, err := conf.load(c, args)
			if err != nil {
				return err
			}
			if err := within(crowd, 1, mostAtOnce); err != nil {
				return fmt.Errorf("--crowd %w", err)
			}
			chosen, err := selection.Apply(scenarios.Sized(crowd))
			if err != nil {
				return err
			}
			summary := os.Getenv("GITHUB_STEP_SUMMARY")
			if err := writable(files.names()...); err != nil {
				return err
			}
			if options.AtOnce < 0 {
				return fmt.Errorf("--at-once %d: give a number of scenarios, or 0 for all", options.AtOnce)
			}
			if err := within(options.Repeat, 1, mostAtOnce); err != nil {
				return fmt.Errorf("--repeat %w", err)
			}
			if err := checkWitnesses(options); err != nil {
				return err
			}
			embedded := len(args) == 0 && p.line == ""
			if len(args) == 0 {
				args = []string{ownURL()}
			}
			if embedded {
				if err := p.embedded(); err != nil {
					return err
				}
				if t.profile.PingInterval == 0 {
					t.profile.PingInterval = embeddedPing
				}
			}
			target, err := p.target(&t, args[0])
			if err != nil {
				return err
			}
			if err := observer.into(target); err != nil {
				return err
			}
			if embedded {
				target.Name = "finwait's reference server"
			}
			options.Known = conf.known
			batch, err := harness.Start(c.Context(), target, chosen, options)
			if err != nil {
				return withHint(target, err)
			}
			reporting(c.OutOrStdout())
			run := show(c.OutOrStdout(), batch, len(chosen), verbose)
			return unwritten(outcome(c.Context(), run), append(files.write(c.OutOrStdout(), run),
				reports.Append(summary, func(w io.Writer) error { return reports.Markdown(w, run, reports.SummaryMost) }))...)
		},
	}
	t.add(c)
	p.add(c)
	observer.add(c)
	conf.add(c)
	f := c.Flags()
	f.IntVar(&crowd, "crowd", crowd, "how many peers are connected when a server is stopped")
	addSelection(c, &selection)
	f.IntVar(&options.AtOnce, "at-once", 0, "how many scenarios run at the same time (default all); 1 shows which one kills a server")
	f.IntVar(&options.Repeat, "repeat", 1, "how often each scenario is played; its verdict is the worst, and a survival "+
		"curve is drawn; of the servers that finwait starts for single plays, a bounded number run at the same time")
	addWitnesses(c, &options)
	files.add(c)
	f.Lookup("markdown").Usage += "; a longer one is also appended to the file that $GITHUB_STEP_SUMMARY names"
	f.BoolVarP(&verbose, "verbose", "v", false, "show passes and traces too")
	return c
}

// addSelection adds the flags that choose scenarios.
func addSelection(c *cobra.Command, s *scenarios.Selection) {
	f := c.Flags()
	f.StringArrayVar(&s.Only, "only", nil, "run only scenarios with this `id` or pattern (repeatable)")
	f.StringArrayVar(&s.Skip, "skip", nil, "leave out scenarios with this `id` or pattern (repeatable)")
	f.StringArrayVar(&s.Labels, "label", nil, "run only scenarios with this `label` (repeatable)")
	for _, flag := range []string{"only", "skip"} {
		_ = c.RegisterFlagCompletionFunc(flag, completeIDs)
	}
}

// withHint adds advice to an error of the target, if the error carries a hint.
func withHint(target *servers.Target, err error) error {
	hinted := new(peers.HintedError)
	if errors.As(err, &hinted) {
		return fmt.Errorf("%s: %w: %s", target, err, hinted.Hint)
	}
	return fmt.Errorf("%s: %w", target, err)
}

func ownURL() string { return "ws://" + servers.Loopback() + "/" }

// embeddedPing is the ping interval of the embedded server, and the interval that is declared
// for it.
const embeddedPing = time.Second

// show prints each result as soon as it is known, and returns the report of the whole run.
func show(w io.Writer, batch *harness.Batch, total int, verbose bool) *reports.Report {
	o := terminal(w)
	o.Verbose = verbose
	t := reports.NewTerminal(w, o)
	t.Begin(batch.Target(), total, batch.Notes()...)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case r, more := <-batch.Results():
			if !more {
				run := reports.New(batch.Wait())
				t.End(run)
				return run
			}
			t.Result(reports.NewScenario(r))
		case <-tick.C:
			t.Tick()
		}
	}
}

// terminal returns what w can display.
func terminal(w io.Writer) reports.TerminalOptions {
	o := reports.TerminalOptions{Width: 100}
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		o.Live = os.Getenv("TERM") != "dumb"
		o.Color = o.Live && os.Getenv("NO_COLOR") == ""
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			o.Width = width
		}
	}
	return o
}

// writable checks that the files of the reports can be written, and that no file is given twice.
// It is called before anything is measured.
func writable(files ...string) error {
	files = slices.DeleteFunc(files, func(file string) bool { return file == "" })
	for i, file := range files {
		if slices.ContainsFunc(files[:i], func(other string) bool { return reports.SameFile(other, file) }) {
			return fmt.Errorf("two reports go to the same file, %s: give each its own", file)
		}
		if err := reports.CheckWritable(file); err != nil {
			return err
		}
	}
	return nil
}

// write writes a report to the file. It does nothing if file is empty.
func write(file string, report func(io.Writer) error) error {
	if file == "" {
		return nil
	}
	return reports.WriteFile(file, report)
}

// unwritten adds the errors of reports to the result of the command. They become one line,
// after the reason for which the run was interrupted. Without such errors it returns the result.
func unwritten(result error, reports ...error) error {
	reports = slices.DeleteFunc(reports, func(err error) bool { return err == nil })
	if len(reports) == 0 {
		return result
	}
	if result != nil && !errors.Is(result, errFailed) {
		reports = append([]error{result}, reports...)
	}
	texts := make([]string, len(reports))
	for i, err := range reports {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// outcome returns the error that the command ends with; nil: nothing failed.
func outcome(ctx context.Context, run *reports.Report) error {
	n := run.Totals
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case n[reports.Fail]+n[reports.Errored] > 0:
		return errFailed
	case n[reports.Skip] == len(run.Scenarios):
		return fmt.Errorf("no scenario that is selected could be judged: each needs what is missing, %s", missing(run.Scenarios))
	}
	return nil
}

// missing lists the capabilities that scenarios needed and that were not available.
func missing(list []reports.Scenario) string {
	var out []string
	for _, s := range list {
		for _, capability := range s.Missing {
			if !slices.Contains(out, capability) {
				out = append(out, capability)
			}
		}
	}
	return strings.Join(out, ", ")
}

func completeIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, s := range scenarios.All() {
		ids = append(ids, s.ID+"\t"+s.Title)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
