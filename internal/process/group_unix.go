//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// group makes cmd the leader of a process group of its own, and lets Cancel
// kill the group (kill(2)). Call Cancel before Wait, while the process id is
// still its own.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
