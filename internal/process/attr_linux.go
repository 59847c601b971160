package process

import "syscall"

// attributes also let the process end with the thread that started it, and so
// with finwait (PR_SET_PDEATHSIG, prctl(2)).
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
