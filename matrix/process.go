package matrix

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"

	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// Prepare runs the target's install command in its folder. An error ends with the last line
// that the command wrote.
func (t *Target) Prepare(ctx context.Context) error {
	_, err := t.run(ctx, t.Install)
	return err
}

// checkVersion compares the installed version with the version in the description. It does
// nothing if the description has no command that prints the installed version.
func (t *Target) checkVersion(ctx context.Context) error {
	if t.VersionExec == "" {
		return nil
	}
	got, err := t.run(ctx, t.VersionExec)
	if err == nil && got != t.Version {
		err = fmt.Errorf("version %s of %s is installed, %s is about %s: install that, or describe the other", got,
			t.Library, t.File(), t.Version)
	}
	return err
}

// lineMost is how many bytes of a command's last line are kept.
const lineMost = 300

// run runs a shell command in the target's folder, and returns the last line that the command
// wrote. It ends processes that the command leaves behind.
func (t *Target) run(ctx context.Context, line string) (string, error) {
	cmd := process.Shell(ctx, line)
	cmd.Dir = t.dir
	commands := process.NewCommands()
	defer commands.End()
	out, err := commands.Run(cmd)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := reports.Clip(lines[len(lines)-1], lineMost)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", secret.Mask(line), err, secret.Mask(last))
	}
	return last, nil
}

// Server describes the server that the harness starts and tests.
func (t *Target) Server(profile rules.Profile) (*servers.Target, error) {
	u, err := url.Parse("ws://127.0.0.1/" + strings.TrimPrefix(t.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("%s: path: %w", t.File(), err)
	}
	u.Host = "127.0.0.1:{port}"
	target := &servers.Target{URL: u, Profile: profile, Process: &servers.Process{Args: strings.Fields(t.Start), Dir: t.dir}}
	if t.TLS {
		u.Scheme, target.TLS = "wss", &tls.Config{InsecureSkipVerify: true}
	}
	return target, nil
}
