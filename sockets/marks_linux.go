package sockets

import (
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// run makes marks until done is closed, in rounds with a pause of every, or as
// long as one took: at first two of all CPUs, then of so many that visitsMost is
// kept. A CPU on which this process may not run has none.
func (m *marks) run(every time.Duration, done <-chan struct{}) {
	prefer()
	var set unix.CPUSet
	var all []int
	for cpu := range 8 * int(unsafe.Sizeof(set)) {
		if on(cpu) == nil {
			all = append(all, cpu)
		}
	}
	r := rota{cpus: all, most: max(1, int(every*visitsMost/time.Second))}
	for n := 0; ; n++ {
		start, cpus := time.Now(), all
		if n >= 2 { // each has told of a mark, and of the one before
			cpus = r.round(m.busy)
		}
		for _, cpu := range cpus {
			if on(cpu) == nil {
				m.make(cpu)
			}
		}
		timer := time.NewTimer(max(every, time.Since(start)))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
	}
}

// on moves this thread to a CPU.
func on(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// make makes one mark on this CPU. Where there are no more descriptors there is
// none.
func (m *marks) make(cpu int) {
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

// tellCPU makes the kernel cut each message that it sends to c, so that its
// length is that of a struct inet_diag_msg and the number of the CPU: that is the
// one whose queue the message comes from.
func tellCPU(c *netlink.Conn) error {
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
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
	})
	if err != nil {
		return err
	}
	return failed
}
