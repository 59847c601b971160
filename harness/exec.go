package harness

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
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

// execs carries out commands of the contract by the target's CloseExec and
// KickExec, for the connection that was opened with ?finwait=TOKEN.
type execs struct {
	target  *Target
	token   string
	stop    func(context.Context) error // of the server
	refused atomic.Bool                 // one exited with 127
}

// has tells whether a command line carries out this command of the contract.
func (t *Target) has(c evidence.Capability) bool {
	return c == evidence.CanClose && t.CloseExec != "" || c == evidence.CanKickAll && t.KickExec != ""
}

// chosen tells whether what closes the target's connections takes what is to stand
// in the Close frame: always by the contract, by a command line where it has the
// placeholder.
func (t *Target) chosen() (code, reason bool) {
	lines := []string{t.CloseExec, t.KickExec}
	code = !slices.ContainsFunc(lines, func(line string) bool { return line != "" && !strings.Contains(line, string(evidence.ChosenCode)) })
	return code, t.CloseExec == "" || strings.Contains(t.CloseExec, string(evidence.ChosenReason)) // no kick has a reason
}

// placeholder is one in a command line, or a parameter of the shell's.
var placeholder = regexp.MustCompile(`\$?\{[a-z]+\}`)

// CheckPlaceholders tells, in one line, a placeholder of a command line that none
// of known fills in.
func CheckPlaceholders(line string, known ...string) error {
	for _, found := range placeholder.FindAllString(line, -1) {
		if found[0] == '$' || slices.Contains(known, found) {
			continue
		}
		advice := "give " + strings.Join(known, " ")
		if len(known) == 0 {
			advice = "leave it out"
		}
		return fmt.Errorf("has %s, which nothing fills in: %s; braces of the command's own need a blank, as in { %s }", found, advice, strings.Trim(found, "{}"))
	}
	return nil
}

// command gives what carries out a command; nil where the peer has to ask.
func (e *execs) command(line string) func(context.Context) error {
	name, rest, _ := strings.Cut(line, " ")
	template := ""
	switch name {
	case "close":
		template = e.target.CloseExec
	case "kick-all":
		template = e.target.KickExec
	case "stop":
		return e.stop
	}
	if template == "" {
		return nil
	}
	code, reason, _ := strings.Cut(rest, " ")
	filled := strings.NewReplacer("{token}", quote(e.token), "{code}", quote(code), "{reason}", quote(reason)).Replace(template)
	return func(ctx context.Context) error {
		out, err := e.target.commands.Run(process.Shell(ctx, filled))
		var exit *exec.ExitError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: did not end in time", secret.Mask(template))
		case errors.As(err, &exit) && exit.ExitCode() == unsupported:
			e.refused.Store(true)
		}
		return fmt.Errorf("%s: %w: %+.200q", secret.Mask(template), err, secret.Mask(strings.TrimSpace(out)))
	}
}

// shell runs a command line of the user's.
func shell(commands *process.Commands, line string) func(context.Context) error {
	return func(ctx context.Context) error {
		if out, err := commands.Run(process.Shell(ctx, line)); err != nil {
			return fmt.Errorf("%s: %w: %+.200q", secret.Mask(line), err, secret.Mask(strings.TrimSpace(out)))
		}
		return nil
	}
}

// quote makes s one word of a shell command.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// commanded fills in what carries out commands for a connection, and its token.
func (b *Batch) commanded(opt *peers.Options, token string) *execs {
	e := &execs{target: b.target, token: token, stop: b.stop}
	if b.target.CloseExec != "" || b.target.KickExec != "" || b.stop != nil {
		opt.Command = e.command
	}
	return e
}
