//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd, not started yet, the leader of a process group of its
// own, and lets Cancel kill the group: what a start command starts ends with
// it (kill(2)). Call Cancel before Wait, while the process id is still its own.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
