package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// mark is the variable in a server's environment by which who descends from it is
// known, also in a session of its own (setsid(2)) and with another parent.
const mark = "FINWAIT_SERVER"

// killStrays ends who has that variable, where there is a proc(5): again and
// again, as one may start another before it ends, for a second at most. Who has
// cleared its environment is not found.
func killStrays(variable string) {
	for found, limit := true, time.Now().Add(time.Second); found && time.Now().Before(limit); {
		found = false
		environs, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, path := range environs {
			found = killMarked(path, variable) || found
		}
	}
}

// killMarked kills the process of that /proc/PID/environ if it has the variable.
// It is held by a handle first: its number may come again.
func killMarked(path, variable string) bool {
	pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	b, err := os.ReadFile(path)
	return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+variable+"\x00")) && p.Kill() == nil
}
