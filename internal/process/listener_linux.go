package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Listener is a process that holds a listening socket and that the started program, the
// wrapper, has started.
type Listener struct {
	Name       string // the name of the process that listens (proc_pid_comm(5))
	Wrapper    string // the name of the wrapper
	port       int
	wrapperDir string // the /proc/PID of the wrapper
	dir        string // the /proc/PID of the process that listens
	startTime  string // when that process started: a later process may have the same number
}

// Listener finds the process that listens on the TCP port. It returns nil if that is the
// started program itself, or is not known.
func (s *Server) Listener(port int) *Listener {
	own := fmt.Sprintf("/proc/%d", s.Pid)
	sockets := listeningSockets(own, port)
	if len(sockets) == 0 || hasDescriptorOf(own, sockets) {
		return nil
	}
	parents := map[string]string{} // for each process that holds the socket, the /proc/PID of its parent
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		if (runsInGroup(s.Pid, dir) || s.mark.isOn(dir)) && hasDescriptorOf(dir, sockets) {
			if f := runningStat(dir); f != nil {
				parents[dir] = "/proc/" + f[1]
			}
		}
	}
	for dir, parent := range parents {
		if _, worker := parents[parent]; !worker {
			return &Listener{
				Name: processName(dir), Wrapper: processName(own), port: port,
				wrapperDir: own, dir: dir, startTime: startTimeOf(dir),
			}
		}
	}
	return nil
}

// listeningSockets returns the TCP sockets that listen on the port in the network namespace of
// the process of that /proc/PID (proc_pid_net(5)), each as the link of a descriptor names it.
func listeningSockets(dir string, port int) map[string]bool {
	const listens = "0A"
	out := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		b, _ := os.ReadFile(filepath.Join(dir, "net", table))
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line) // sl local_address rem_address st … inode
			if len(f) > 9 && f[3] == listens && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				out["socket:["+f[9]+"]"] = true
			}
		}
	}
	return out
}

// hasDescriptorOf tells whether the process of that /proc/PID holds one of the sockets.
func hasDescriptorOf(dir string, sockets map[string]bool) bool {
	descriptors, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
	for _, d := range descriptors {
		if to, err := os.Readlink(d); err == nil && sockets[to] {
			return true
		}
	}
	return false
}

// Runs tells whether the process that listened is still running.
func (l *Listener) Runs() bool {
	start := startTimeOf(l.dir)
	return start != "" && start == l.startTime
}

// Listens tells whether that process still holds the listening socket.
func (l *Listener) Listens() bool {
	return l.Runs() && hasDescriptorOf(l.dir, listeningSockets(l.dir, l.port))
}

// WouldDie tells whether that process is running and the signal would end it. If it would, nobody
// has sent the signal to it.
func (l *Listener) WouldDie(signal syscall.Signal) bool { return l.Runs() && wouldDie(l.dir, signal) }

// WrapperWouldDie tells whether the signal would end the wrapper, which then could not pass it on.
func (l *Listener) WrapperWouldDie(signal syscall.Signal) bool { return wouldDie(l.wrapperDir, signal) }

// wouldDie tells whether the signal would end the process of that /proc/PID. False: the process
// handles, ignores or blocks the signal, or has it pending, or it is not known.
func wouldDie(dir string, signal syscall.Signal) bool {
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
		case "NSpid": // no signal ends the first process of a PID namespace (pid_namespaces(7))
			if ids := strings.Fields(value); len(ids) == 0 || ids[len(ids)-1] == "1" {
				return false
			}
		}
	}
	return true
}

// processName returns the name of the process of that /proc/PID (proc_pid_comm(5)).
func processName(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return strings.TrimSpace(string(b))
}

// runningStat returns the [statFields] of a process that is running; nil: it has ended.
func runningStat(dir string) []string {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil || !isRunning(b) {
		return nil
	}
	return statFields(b)
}

// startTimeOf returns when a process that is running started, in clock ticks since boot (field
// 22 in proc_pid_stat(5)); empty: it has ended.
func startTimeOf(dir string) string {
	if f := runningStat(dir); len(f) > 19 {
		return f[19]
	}
	return ""
}
