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

// group makes cmd the leader of a process group of its own, and lets Cancel
// kill the group (kill(2)), also when its leader has ended.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// alive tells whether a process of the group, or one with the mark, runs, and which one:
// last is what alive told at the look before, or empty. A process that has ended and that
// its parent has not waited for takes signals; /proc, where there is one, tells it from
// those that run.
func alive(leader int, m mark, last string) (dir string, some bool) {
	group := syscall.Kill(-leader, 0) == nil
	ours := func(dir string) bool { return group && member(leader, dir) || m.marks(dir) }
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

// member tells whether the process of that /proc/PID is of the group, and runs.
func member(leader int, dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil || !runs(b) {
		return false
	}
	return status(b)[2] == strconv.Itoa(leader)
}

// hold starts a process of the group that ends at once. As long as nobody has waited
// for it, the group's number is given to nobody else, though all others have ended.
// Nil where it cannot be told from them.
func hold(leader int) *exec.Cmd {
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

// guardianScript waits for the end of a pipe that only finwait holds, and then kills
// the group $1, if any, and who has the variable $2 or the limit $3: again, as one may start
// another before it ends.
const guardianScript = `read -r _
[ "$1" ] && kill -s KILL -- "-$1"
for _ in 1 2 3; do
	found=$(grep -lsF -e "$2" /proc/[0-9]*/environ; grep -lsF -e "$3" /proc/[0-9]*/limits)
	for file in $found; do file=${file#/proc/}; kill -s KILL "${file%%/*}"; done
	[ "$found" ] || break
done`

// guard starts the process that does that when finwait has gone. Nil where it cannot
// be had.
func guard(leader string, m mark) *exec.Cmd {
	cmd := exec.Command("sh", "-c", guardianScript, "sh", leader, m.variable, m.limit.String())
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
