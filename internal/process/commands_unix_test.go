//go:build unix

package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The exit status of a command decides, and what it has left behind neither delays that nor
// survives the end.
func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		status int
		output string
	}{
		"leaves nothing":      {"echo done", 0, "done\n"},
		"fails":               {"echo cannot; exit 4", 4, "cannot\n"},
		"leaves a child":      {"exec 3>%; sleep 60 & echo done", 0, "done\n"},
		"fails, with a child": {"exec 3>%; sleep 60 & echo cannot; exit 127", 127, "cannot\n"},
		"leaves a daemon":     {"(setsid env -i /bin/sh -c 'exec 3>%; sleep 60 & sleep 60' >/dev/null 2>&1 &); echo done", 0, "done\n"},
	} {
		t.Run(name, func(t *testing.T) {
			leaves := strings.Contains(c.script, "%")
			if _, err := os.Stat("/proc/self/limits"); err != nil && leaves {
				t.Skip(err)
			}
			needs(t, c.script)
			path, commands, held := pipe(t), NewCommands(), make(chan func(), 1)
			if leaves {
				go func() { held <- holder(t, path) }()
			}
			began := time.Now()
			output, err := commands.Run(Shell(t.Context(), strings.ReplaceAll(c.script, "%", path)))
			if took := time.Since(began); took > 900*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			status := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				status = exit.ExitCode()
			}
			if output != c.output || status != c.status {
				t.Errorf("%q, %v; want %q and %d", output, err, c.output, c.status)
			}
			var ended func()
			if leaves {
				ended = <-held
			}
			commands.End()
			if leaves {
				ended()
			}
		})
	}
}

// A command without end is killed when its context is done.
func TestCommandWithoutEnd(t *testing.T) {
	commands := NewCommands()
	defer commands.End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if output, err := commands.Run(Shell(ctx, "echo begun; sleep 60 & sleep 60")); err == nil || output != "begun\n" {
		t.Errorf("%q, %v", output, err)
	}
}

// What a command writes is read to its end, and its last is kept.
func TestCommandsFlooded(t *testing.T) {
	commands := NewCommands()
	defer commands.End()
	output, err := commands.Run(Shell(t.Context(), "head -c 50000000 /dev/zero; echo the end"))
	if err != nil || !strings.HasSuffix(output, "the end\n") || len(output) > 2*tailSize {
		t.Errorf("%d bytes, %v", len(output), err)
	}
}
