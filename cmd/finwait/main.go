// Command finwait shows how a WebSocket server lets go of its connections.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/reports"
)

// The exit codes.
const (
	exitOK      = 0 // nothing failed
	exitFailed  = 1 // something did
	exitNotDone = 2 // not carried out: bad usage, target unreachable, interrupted
)

func main() {
	// A reader of stdout that has gone, as in "finwait run | head", must not cost
	// the reports: with a receiver the signal does not end the process, and
	// servers that it starts have their own handling.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
}

// errFailed says that the run was carried out and something failed; it has
// been reported.
var errFailed = errors.New("something failed")

// Main runs the command line and returns its exit code. An error is one line
// on stderr.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals) // a second one ends the process
			cancel(fmt.Errorf("interrupted by %s", s))
		case <-ctx.Done():
		}
	}()

	root := &cobra.Command{
		Use:   "finwait",
		Short: "Shows how a WebSocket server lets go of its connections",
		Long: `finwait shows how a WebSocket server lets go of its connections.

Scripted misbehaving peers run against a server URL. For each, finwait measures
which close code results and how long the hanging socket survives.

Exit status: 0 nothing failed, 1 something did, 2 not carried out.`,
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), listCommand(), serveCommand(), checkTargetCommand(), crowdCommand(), matrixCommand(), diffCommand(), initCommand(), generateCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	default:
		text := strings.NewReplacer("\n\n", "; ", "\n\t", " ").Replace(strings.TrimSpace(err.Error())) // of cobra's suggestions
		fmt.Fprintf(stderr, "finwait: %s\n", reports.OneLine(secret.Mask(text)))
		return exitNotDone
	}
}
