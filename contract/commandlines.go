package contract

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/peers"
)

// unsupported is the exit status by which a command of the user's says that
// the server cannot do this: what a shell says of a command that it does not
// find (POSIX, XCU 2.8.2).
const unsupported = 127

// CommandLines carry out commands of the contract by the server's Hooks, CloseExec and
// KickExec, for the connection that was opened with ?finwait=TOKEN.
type CommandLines struct {
	client  *Client
	token   string
	stop    func(context.Context) error // stops the server; nil: nothing does
	refused atomic.Bool                 // one exited with 127, or failed with ErrUnsupported
}

// CommandLines are those for the connection with this token; empty: it has none.
// stop carries out the command "stop"; it may be nil.
func (c *Client) CommandLines(token string, stop func(context.Context) error) *CommandLines {
	return &CommandLines{client: c, token: token, stop: stop}
}

// Into lets the peer's commands be carried out by what the user gave, where there is
// anything.
func (l *CommandLines) Into(opt *peers.Options) {
	given := slices.ContainsFunc([]evidence.Capability{evidence.CanClose, evidence.CanTerminate, evidence.CanKickAll}, l.client.ByUser)
	if given || l.stop != nil {
		opt.Command = l.command
	}
}

// Unsupported tells whether a command line exited with 127, or a function failed with
// [errors.ErrUnsupported]: the server cannot do it.
func (l *CommandLines) Unsupported() bool { return l.refused.Load() }

// command gives what carries out a command; nil where the peer has to ask.
func (l *CommandLines) command(line string) func(context.Context) error {
	name, rest, _ := strings.Cut(line, " ")
	if call := l.client.hook(name, rest, l.token); call != nil {
		return func(ctx context.Context) error {
			err := call(ctx)
			if errors.Is(err, errors.ErrUnsupported) {
				l.refused.Store(true)
			}
			return err
		}
	}
	template := ""
	switch name {
	case "close":
		template = l.client.Server.CloseExec
	case "kick-all":
		template = l.client.Server.KickExec
	case "stop":
		return l.stop
	}
	if template == "" {
		return nil
	}
	code, reason, _ := strings.Cut(rest, " ")
	filled := strings.NewReplacer("{token}", quote(l.token), "{code}", quote(code), "{reason}", quote(reason)).Replace(template)
	return func(ctx context.Context) error {
		secrets := secret.Sent(l.client.Server.URL, l.client.Server.Header)
		out, err := l.client.Commands.Run(process.Shell(ctx, filled))
		var exit *exec.ExitError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: did not end in time", secrets.Mask(template))
		case errors.As(err, &exit) && exit.ExitCode() == unsupported:
			l.refused.Store(true)
		}
		return fmt.Errorf("%s: %w: %+.200q", secrets.Mask(template), err, secrets.Mask(strings.TrimSpace(out)))
	}
}

// quote makes s one word of a shell command.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
