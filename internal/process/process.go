// Package process runs the commands of users, each in a process group of its own, so that all
// that a command starts ends with it.
package process

import (
	"context"
	"os/exec"
	"time"
)

// Shell returns a command line for sh -c, which is not started yet. When ctx is done, it is
// killed with all that it started.
func Shell(ctx context.Context, line string) *exec.Cmd { return Command(ctx, "sh", "-c", line) }

// Command returns a program, which is not started yet. When ctx is done, it is killed with all
// that it started. Its pipes are read for a second at most after its end.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	return cmd
}
