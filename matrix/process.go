package matrix

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/process"
)

// Prepare runs the target's install command in its folder. An error ends with
// what the command wrote last.
func (t *Target) Prepare(ctx context.Context) error {
	cmd := process.Shell(ctx, t.Install)
	cmd.Dir = t.dir
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", t.Install, err, lines[len(lines)-1])
	}
	return nil
}

// Server is what the harness starts, and runs against.
func (t *Target) Server(profile harness.Profile) (*harness.Target, error) {
	u, err := url.Parse("ws://127.0.0.1/" + strings.TrimPrefix(t.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("%s: path: %w", t.File(), err)
	}
	u.Host = "127.0.0.1:{port}"
	target := &harness.Target{URL: u, Profile: profile, Process: &harness.Process{Args: strings.Fields(t.Start), Dir: t.dir}}
	if t.TLS {
		u.Scheme, target.TLS = "wss", &tls.Config{InsecureSkipVerify: true}
	}
	return target, nil
}
