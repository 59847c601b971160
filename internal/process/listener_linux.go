package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Listener is the process that holds a listening socket, where that is not the program
// itself but one that it started.
type Listener struct {
	Name    string // of the process (proc_pid_comm(5))
	Wrapper string // the name of the program that was started
	port    int
	wrapper string // its /proc/PID
	dir     string // the process's
	began   string // when it started, by which it is told from a later process with its number
}

// Listener finds the process that listens on the TCP port. Nil: that is the program itself, or
// it is not known.
func (s *Server) Listener(port int) *Listener {
	own := fmt.Sprintf("/proc/%d", s.Pid)
	sockets := listening(own, port)
	if len(sockets) == 0 || holds(own, sockets) {
		return nil
	}
	parents := map[string]string{} // of those that hold it
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		if (member(s.Pid, dir) || s.mark.marks(dir)) && holds(dir, sockets) {
			if f := fields(dir); f != nil {
				parents[dir] = "/proc/" + f[1]
			}
		}
	}
	for dir, parent := range parents {
		if _, worker := parents[parent]; !worker {
			return &Listener{Name: comm(dir), Wrapper: comm(own), port: port, wrapper: own, dir: dir, began: began(dir)}
		}
	}
	return nil
}

// listening are the TCP sockets that listen on the port, as the process of that /proc/PID
// sees its network (proc_pid_net(5)), in the form of a descriptor's link.
func listening(dir string, port int) map[string]bool {
	const listens = "0A"
	out := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		b, _ := os.ReadFile(filepath.Join(dir, "net", table))
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == listens && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				out["socket:["+f[9]+"]"] = true
			}
		}
	}
	return out
}

// holds tells whether the process of that /proc/PID has a descriptor of one of the sockets.
func holds(dir string, sockets map[string]bool) bool {
	descriptors, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
	for _, d := range descriptors {
		if to, err := os.Readlink(d); err == nil && sockets[to] {
			return true
		}
	}
	return false
}

// Runs tells whether the process has not ended.
func (l *Listener) Runs() bool {
	start := began(l.dir)
	return start != "" && start == l.began
}

// Listens tells whether the process still holds the listening socket.
func (l *Listener) Listens() bool { return l.Runs() && holds(l.dir, listening(l.dir, l.port)) }

// Dies tells whether the signal would end the process: that it still runs shows that nobody
// sent it.
func (l *Listener) Dies(signal syscall.Signal) bool { return l.Runs() && dies(l.dir, signal) }

// WrapperDies tells whether the signal would end the program that was started: it could not
// pass that on.
func (l *Listener) WrapperDies(signal syscall.Signal) bool { return dies(l.wrapper, signal) }

// dies tells whether the signal would end the process of that /proc/PID. False: the process
// handles, ignores or blocks it, or has it pending, or that is not known.
func dies(dir string, signal syscall.Signal) bool {
	b, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "SigCgt", "SigIgn", "SigBlk", "SigPnd", "ShdPnd":
			if set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64); err != nil || set>>(signal-1)&1 == 1 {
				return false
			}
		case "NSpid": // the first process of a namespace is ended by no signal (pid_namespaces(7))
			if ids := strings.Fields(value); len(ids) == 0 || ids[len(ids)-1] == "1" {
				return false
			}
		}
	}
	return true
}

// comm is the name of a process.
func comm(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return strings.TrimSpace(string(b))
}

// fields are the [status] of a process that has not ended; nil: it has.
func fields(dir string) []string {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil || !runs(b) {
		return nil
	}
	return status(b)
}

// began is when a process started, in the kernel's units (field 22 in proc_pid_stat(5)).
func began(dir string) string {
	if f := fields(dir); len(f) > 19 {
		return f[19]
	}
	return ""
}
