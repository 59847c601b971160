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

// unsupported is the exit status by which a command of the user says that the server cannot
// do this. It is the status of a shell that does not find a command (POSIX, XCU 2.8.2).
const unsupported = 127

// CommandLines carry out commands of the contract by the server's Hooks, CloseExec and
// KickExec, for the connection that was opened with ?finwait=TOKEN.
type CommandLines struct {
	client  *Client
	token   string
	stop    func(context.Context) error // carries out the command "stop"; nil: nothing does
	refused atomic.Bool                 // a command exited with 127, or a function failed with ErrUnsupported
}

// CommandLines returns the command lines for the connection with this token, which may be
// empty. stop carries out the command "stop"; it may be nil.
func (c *Client) CommandLines(token string, stop func(context.Context) error) *CommandLines {
	return &CommandLines{client: c, token: token, stop: stop}
}

// Into sets the options so that what the user gave carries out the peer's commands, if there
// is anything.
func (l *CommandLines) Into(opt *peers.Options) {
	given := slices.ContainsFunc([]evidence.Capability{evidence.CanClose, evidence.CanTerminate, evidence.CanKickAll}, l.client.ByUser)
	if given || l.stop != nil {
		opt.Command = l.command
	}
}

// Unsupported tells whether a command line exited with 127, or a function failed with
// [errors.ErrUnsupported]: the server cannot do it.
func (l *CommandLines) Unsupported() bool { return l.refused.Load() }

// command returns a function that carries out a command; nil: the peer must send it as a
// message.
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
	words := strings.NewReplacer("{token}", quote(l.token), "{code}", quote(code), "{reason}", quote(reason))
	filled := words.Replace(template)
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

// quote returns s as one word of a shell command.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
