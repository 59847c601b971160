package process

import (
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// gate waits for a line, and then lets the program take its place.
const gate = `read -r _ <&3 && exec 3<&- "$@"`

// start starts cmd with the mark: the program begins when it has the limit, which is
// the soft one and longer than any time, so that it limits nothing; and when hold, which is
// given its process id, is over.
func (m mark) start(cmd *exec.Cmd, hold func(pid int)) error {
	sh, err := exec.LookPath("sh")
	if cmd.Err != nil || err != nil {
		return cmd.Start() // which says so
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args, cmd.ExtraFiles = sh, append([]string{"sh", "-c", gate, "sh"}, cmd.Args...), []*os.File{r}
	err = cmd.Start()
	_ = r.Close()
	if err == nil {
		m.limit.put(cmd.Process.Pid)
		hold(cmd.Process.Pid)
		_, _ = w.WriteString("\n") // who has ended meanwhile is waited for
	}
	_ = w.Close()
	return err
}

// put gives the process the limit.
func (l rtime) put(pid int) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &limit) != nil || limit.Max < uint64(l) {
		return
	}
	limit.Cur = uint64(l)
	_ = unix.Prlimit(pid, unix.RLIMIT_RTTIME, &limit, nil)
}
