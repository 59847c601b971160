//go:build unix

package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// group makes cmd the leader of a process group of its own, and lets Cancel
// kill the group (kill(2)), also when its leader has ended.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// alive tells whether somebody of the group runs, and who: last is who did at the
// look before, or empty. A process that has ended and that its parent has not
// waited for takes signals; where there is a proc(5), it is told from the others.
func alive(leader int, last string) (who string, runs bool) {
	if syscall.Kill(-leader, 0) != nil {
		return "", false
	}
	if last != "" && member(leader, last) {
		return last, true
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return "", true
	}
	for _, stat := range stats {
		if member(leader, stat) {
			return stat, true
		}
	}
	return "", false
}

// member tells whether the process of that /proc/PID/stat is of the group, and
// runs.
func member(leader int, stat string) bool {
	b, err := os.ReadFile(stat)
	if err != nil {
		return false // it has ended
	}
	// PID (NAME) STATE PPID PGRP ...
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return len(f) > 2 && f[2] == strconv.Itoa(leader) && f[0] != "Z" && f[0] != "X"
}

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

// EndedBy is the signal that killed the program, once it has ended, and its name,
// such as SIGTERM; empty: none did.
func (s *Server) EndedBy() (signal syscall.Signal, name string) {
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0, ""
	}
	return status.Signal(), unix.SignalName(status.Signal())
}
