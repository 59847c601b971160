//go:build !linux

package process

import "os/exec"

// start starts cmd, which has the mark in its environment alone.
func (m mark) start(cmd *exec.Cmd, hold func(pid int)) error {
	err := cmd.Start()
	if err == nil {
		hold(cmd.Process.Pid)
	}
	return err
}
