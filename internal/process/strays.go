package process

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mark is inherited by every process that a program starts, even one in a session of its own
// (setsid(2)) and with another parent. By it such processes are found on systems with proc(5).
type mark struct {
	variable string       // NAME=value in the environment; a program may clear or overwrite its environment
	limit    cpuTimeLimit // set on Linux, where a program cannot lose it by accident
}

// cpuTimeLimit is a limit of CPU time under realtime scheduling, in µs (RLIMIT_RTTIME in
// getrlimit(2)). Its value is unique, and too large to limit anything.
type cpuTimeLimit uint64

func newMark() mark {
	var b [8]byte
	_, _ = rand.Read(b[:])
	limit := 1<<62 | binary.NativeEndian.Uint64(b[:])>>2 // 146,000 years at least
	return mark{variable: "FINWAIT_SERVER=" + rand.Text(), limit: cpuTimeLimit(limit)}
}

// String returns the limit as /proc/PID/limits shows it.
func (l cpuTimeLimit) String() string { return fmt.Sprintf(" %d ", uint64(l)) }

// killStrays kills the processes that have the mark, on systems with proc(5). It repeats that
// until it finds none, because a process may start another one before it ends, and for a second
// at most.
func (m mark) killStrays() {
	for found, limit := true, time.Now().Add(time.Second); found && time.Now().Before(limit); {
		found = false
		processes, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range processes {
			found = m.killIfMarked(dir) || found
		}
	}
}

// killIfMarked kills the process of that /proc/PID if it has the mark. It opens a handle of the
// process before it looks, because another process may get the same number.
func (m mark) killIfMarked(dir string) bool {
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return m.isOn(dir) && p.Kill() == nil
}

// isOn tells whether the process of that /proc/PID has the mark.
func (m mark) isOn(dir string) bool {
	environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
	if bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+m.variable+"\x00")) {
		return true
	}
	if state, err := os.ReadFile(filepath.Join(dir, "stat")); err != nil || !isRunning(state) {
		return false // a zombie keeps its limits
	}
	limits, _ := os.ReadFile(filepath.Join(dir, "limits"))
	return bytes.Contains(limits, []byte(m.limit.String()))
}

// statFields returns the fields of a /proc/PID/stat after the name: STATE PPID PGRP …
func statFields(stat []byte) []string {
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// isRunning tells whether a process with that /proc/PID/stat is running: no zombie, not dead.
func isRunning(stat []byte) bool {
	f := statFields(stat)
	return len(f) > 2 && f[0] != "Z" && f[0] != "X"
}
