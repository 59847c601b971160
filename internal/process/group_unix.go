//go:build unix

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup makes cmd the leader of a process group of its own, and makes Cancel kill the whole
// group (kill(2)), even if its leader has ended.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// findRunning finds a process that is running and that is of the group or has the mark, and
// returns its /proc/PID. last is the result of the call before, which is tried first, or empty.
// A zombie accepts signals as well; /proc, on systems that have it, tells it from a process
// that is running.
func findRunning(leader int, m mark, last string) (dir string, some bool) {
	group := syscall.Kill(-leader, 0) == nil
	ours := func(dir string) bool { return group && runsInGroup(leader, dir) || m.isOn(dir) }
	if last != "" && ours(last) {
		return last, true
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(processes) == 0 {
		return "", group
	}
	for _, dir := range processes {
		if ours(dir) {
			return dir, true
		}
	}
	return "", false
}

// runsInGroup tells whether the process of that /proc/PID is running and is of the group.
func runsInGroup(leader int, dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil || !isRunning(b) {
		return false
	}
	return statFields(b)[2] == strconv.Itoa(leader)
}

// reserveGroup starts a process of the group that exits at once and is not waited for. While
// this zombie exists, the kernel does not give the number of the group to another one, even if
// all other processes of the group have ended. Without /proc nothing tells it from those, and
// reserveGroup returns nil.
func reserveGroup(leader int) *exec.Cmd {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil
	}
	cmd := exec.Command("sh", "-c", ":")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: leader}
	if err := cmd.Start(); err != nil {
		return nil
	}
	return cmd
}

// guardianScript waits for the end of a pipe that only finwait holds. Then it kills the group
// $1, if any, and all processes that have the variable $2 or the limit $3. It looks for them
// three times, because a process may start another one before it ends.
const guardianScript = `read -r _
[ "$1" ] && kill -s KILL -- "-$1"
for _ in 1 2 3; do
	found=$(grep -lsF -e "$2" /proc/[0-9]*/environ; grep -lsF -e "$3" /proc/[0-9]*/limits)
	for file in $found; do file=${file#/proc/}; kill -s KILL "${file%%/*}"; done
	[ "$found" ] || break
done`

// startGuardian starts guardianScript, which kills the processes when finwait has ended. It
// returns nil if it cannot be started.
func startGuardian(leader string, m mark) *exec.Cmd {
	cmd := exec.Command("sh", "-c", guardianScript, "sh", leader, m.variable, m.limit.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that an interrupt of the terminal does not end it
	if _, err := cmd.StdinPipe(); err != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil
	}
	return cmd
}

// EndedBy returns the signal that killed the program and its name, such as SIGTERM. The name is
// empty if no signal did. The program must have ended.
func (s *Server) EndedBy() (signal syscall.Signal, name string) {
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0, ""
	}
	return status.Signal(), unix.SignalName(status.Signal())
}
