//go:build unix

package process

import (
	"os/exec"
	"strconv"
	"syscall"
)

// group makes cmd the leader of a process group of its own, and lets Cancel
// kill the group (kill(2)), also when its leader has ended.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// alive tells whether somebody of the group runs.
func alive(leader int) bool { return syscall.Kill(-leader, 0) == nil }

// guard starts a process that kills the group when finwait has gone: it waits
// for the end of a pipe that only finwait holds. Nil where it cannot be had.
func guard(leader int) *exec.Cmd {
	cmd := exec.Command("sh", "-c", `read -r _; kill -s KILL -- "-$1" 2>/dev/null`, "sh", strconv.Itoa(leader))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's interrupt is not for it
	if _, err := cmd.StdinPipe(); err != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil
	}
	return cmd
}
