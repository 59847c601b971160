// Command finwait measures how a WebSocket server closes its connections.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/reports"
)

// The exit codes.
const (
	exitOK      = 0 // nothing failed
	exitFailed  = 1 // something failed
	exitNotDone = 2 // not carried out: bad usage, target unreachable, interrupted
)

func main() {
	// If the reader of stdout exits, as in "finwait run | head", the reports must still be
	// written. With a receiver the signal does not end the process. Unlike an ignored signal,
	// a received one is not inherited by the servers that finwait starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
}

// errFailed says that the run was carried out and that something failed. The reports have said
// what failed.
var errFailed = errors.New("something failed")

// Main runs the command line and returns its exit code. An error is one line
// on stderr.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	root := &cobra.Command{
		Use:   "finwait",
		Short: "Measures how a WebSocket server closes its connections",
		Long: `finwait measures how a WebSocket server closes its connections.

Scripted misbehaving peers run against a server URL. For each, finwait measures
which close code results and how long the hanging socket survives.

Exit status: 0 nothing failed, 1 something did, 2 not carried out.`,
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), listCommand(), serveCommand(), checkTargetCommand(), crowdCommand(), matrixCommand(),
		diffCommand(), reportCommand(), observeCommand(), initCommand(), generateCommand())
	out := &output{Writer: stdout}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	command, _, _ := root.Find(args)
	writes := command.Flags().Lookup("json") != nil // looked up now, because cobra adds flags while the command runs
	defer interruptible(cancel, func() {
		switch {
		case out.measured.Load():
			fmt.Fprintln(stderr, "finwait: interrupted: writing the reports; once more to give up")
		case writes:
			fmt.Fprintln(stderr, "finwait: interrupted; once more to give up")
		}
	})()
	err := root.ExecuteContext(ctx)
	err = unwritten(err, out.lost())
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	default:
		// the line breaks of cobra's suggestions
		text := strings.NewReplacer("\n\n", "; ", "\n\t", " ").Replace(strings.TrimSpace(err.Error()))
		fmt.Fprintf(stderr, "finwait: %s\n", reports.OneLine(secret.Mask(text)))
		return exitNotDone
	}
}

// output is standard output. It keeps the first error of a write, so that Main can report it.
type output struct {
	io.Writer
	err      error
	measured atomic.Bool // reports will be written, even after an interrupt
}

// reporting notes in standard output that reports will be written, even after an interrupt.
func reporting(w io.Writer) {
	if out, ok := w.(*output); ok {
		out.measured.Store(true)
	}
}

// Write implements io.Writer. It never fails: lost returns the first error.
func (o *output) Write(b []byte) (int, error) {
	_, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return len(b), nil
}

// lost returns why something could not be printed. It returns nil if everything was printed, or
// if the reader of a pipe has closed it.
func (o *output) lost() error {
	if o.err == nil || errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	return fmt.Errorf("the summary could not be printed: %w", o.err)
}

// sameInterrupt is how long after the first signal further signals count as the same interrupt.
// timeout(1) sends two signals; so may a terminal together with the process that started finwait.
const sameInterrupt = time.Second

// interruptible calls say and cancels the context at the first signal. After sameInterrupt,
// another signal ends the process. stop restores the default handling of signals.
func interruptible(cancel context.CancelCauseFunc, say func()) (stop func()) {
	kinds := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup(1) does
		kinds = append(kinds, syscall.SIGHUP)
	}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, kinds...)
	go func() {
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			say()
			cancel(fmt.Errorf("interrupted by %s", s))
		case <-done:
			return
		}
		timer := time.NewTimer(sameInterrupt)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-done:
		}
	}()
	return func() { close(done) }
}
