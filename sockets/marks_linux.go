package sockets

import (
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// run makes marks in rounds until done is closed. It pauses between two rounds, at least as
// long as the last one took. The first two rounds visit every CPU on which this process may
// run; the others keep to maxVisitsPerSecond.
func (m *marks) run(pause time.Duration, done <-chan struct{}) {
	_ = m.namespace.run(func() { m.runHere(pause, done) }) // without marks the bounds are wider
}

func (m *marks) runHere(pause time.Duration, done <-chan struct{}) {
	raisePriority()
	var set unix.CPUSet
	var all []int
	for cpu := range 8 * int(unsafe.Sizeof(set)) {
		if runOn(cpu) == nil {
			all = append(all, cpu)
		}
	}
	plan := visitPlan{cpus: all, perRound: max(1, int(pause*maxVisitsPerSecond/time.Second))}
	for n := 0; ; n++ {
		start, cpus := time.Now(), all
		if n >= 2 { // each CPU has the two marks that an event is dated by
			cpus = plan.cpusOfRound(m.busy)
		}
		for _, cpu := range cpus {
			if runOn(cpu) == nil {
				m.makeOn(cpu)
			}
		}
		timer := time.NewTimer(max(pause, time.Since(start)))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
	}
}

// runOn moves the calling thread to the CPU (sched_setaffinity(2)).
func runOn(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// makeOn makes one mark on the CPU on which the calling thread runs, or none if this process
// has no descriptor left.
func (m *marks) makeOn(cpu int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		_ = unix.Close(fd)
		return
	}
	m.add(cpu, cookie, func() { _ = unix.Close(fd) })
}

// attachCPUFilter makes the kernel tell, by the length of each message that it sends to c,
// from the queue of which CPU it comes: a socket filter cuts the message to the size of a
// struct inet_diag_msg plus the number of that CPU.
func attachCPUFilter(c *netlink.Conn) error {
	const cpu = 1<<32 - 4096 + 36 // SKF_AD_OFF + SKF_AD_CPU (linux/filter.h)
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: cpu},
		{Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K, K: unix.NLMSG_HDRLEN + answerSize},
		{Code: unix.BPF_RET | 0x10}, // BPF_A
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		program := &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	})
	if err != nil {
		return err
	}
	return failed
}
