// Package process runs the commands of users: each in a process group of its
// own, so that what it starts ends with it.
package process

import (
	"context"
	"os/exec"
	"time"
)

// Shell is a command line for sh -c that ends, with all that it started, when
// ctx does. It is not started yet.
func Shell(ctx context.Context, line string) *exec.Cmd { return Command(ctx, "sh", "-c", line) }

// Command is a program that ends, with all that it started, when ctx does. It
// is not started yet. After its end, its pipes are read for a second at most.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	group(cmd)
	return cmd
}
