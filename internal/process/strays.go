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

// mark is what all that a program starts has inherited, also in a session of its own
// (setsid(2)) and with another parent, so that it can be found where there is a proc(5).
type mark struct {
	variable string // in the environment, which a program may clear, or write its title over
	limit    rtime
}

// rtime is a limit of CPU time in realtime scheduling, in µs (RLIMIT_RTTIME,
// getrlimit(2)), by which a program is known on Linux whatever became of its environment.
type rtime uint64

func newMark() mark {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return mark{variable: "FINWAIT_SERVER=" + rand.Text(), limit: rtime(1<<62 | binary.NativeEndian.Uint64(b[:])>>2)} // 146,000 years at least
}

// String is how the limit stands in /proc/PID/limits.
func (l rtime) String() string { return fmt.Sprintf(" %d ", uint64(l)) }

// killStrays ends who has the mark, where there is a proc(5): again and again, as one
// may start another before it ends, for a second at most.
func (m mark) killStrays() {
	for found, limit := true, time.Now().Add(time.Second); found && time.Now().Before(limit); {
		found = false
		processes, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range processes {
			found = m.kill(dir) || found
		}
	}
}

// kill kills the process of that /proc/PID if it has the mark. It is held by a handle
// first: its number may come again.
func (m mark) kill(dir string) bool {
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return m.marks(dir) && p.Kill() == nil
}

func (m mark) marks(dir string) bool {
	environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
	if bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+m.variable+"\x00")) {
		return true
	}
	if state, err := os.ReadFile(filepath.Join(dir, "stat")); err != nil || !runs(state) {
		return false // a process that has ended keeps its limits until its parent has waited for it
	}
	limits, _ := os.ReadFile(filepath.Join(dir, "limits"))
	return bytes.Contains(limits, []byte(m.limit.String()))
}

// status are the fields of a /proc/PID/stat behind the name: STATE PPID PGRP ...
func status(stat []byte) []string {
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// runs tells, of a /proc/PID/stat, whether the process has not ended.
func runs(stat []byte) bool {
	f := status(stat)
	return len(f) > 2 && f[0] != "Z" && f[0] != "X"
}
