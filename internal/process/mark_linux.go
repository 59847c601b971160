package process

import (
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// gateScript waits for a line on descriptor 3, and then replaces itself by the program.
const gateScript = `read -r _ <&3 && exec 3<&- "$@"`

// start starts cmd with the mark. The program begins after its process has the limit, and after
// prepare has returned, which gets the process id. Only the soft limit is set, and it is longer
// than any time, so that it limits nothing.
func (m mark) start(cmd *exec.Cmd, prepare func(pid int)) error {
	sh, err := exec.LookPath("sh")
	if cmd.Err != nil || err != nil {
		return cmd.Start() // returns cmd.Err; without sh, the program has the mark in its environment alone
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Path, cmd.ExtraFiles = sh, []*os.File{r}
	cmd.Args = append([]string{"sh", "-c", gateScript, "sh"}, cmd.Args...)
	err = cmd.Start()
	_ = r.Close()
	if err == nil {
		m.limit.apply(cmd.Process.Pid)
		prepare(cmd.Process.Pid)
		_, _ = w.WriteString("\n") // it fails if the process has ended meanwhile, which Wait reports
	}
	_ = w.Close()
	return err
}

// apply sets the limit for the process.
func (l cpuTimeLimit) apply(pid int) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &limit) != nil || limit.Max < uint64(l) {
		return
	}
	limit.Cur = uint64(l)
	_ = unix.Prlimit(pid, unix.RLIMIT_RTTIME, &limit, nil)
}
