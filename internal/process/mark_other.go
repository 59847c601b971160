//go:build !linux

package process

import "os/exec"

// start starts cmd, which has the mark in its environment alone, and calls prepare.
func (m mark) start(cmd *exec.Cmd, prepare func(pid int)) error {
	err := cmd.Start()
	if err == nil {
		prepare(cmd.Process.Pid)
	}
	return err
}
