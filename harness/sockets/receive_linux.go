package sockets

import (
	"encoding/binary"
	"runtime"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// prefer lets the calling goroutine run before others, on a thread of its own
// that ends with it: where this process may not (CAP_SYS_NICE), times are dated
// some milliseconds later on a busy machine.
func prefer() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -15)
}

// receive waits for events and hands over all that are there, one at a time, with
// the CPU that told it, -1 where [tellCPU] could not be had; b holds one datagram.
// Thousands of events come within milliseconds: taken one by one through the
// library they would be dated late.
func receive(c *netlink.Conn, b []byte, event func(data []byte, cpu int)) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for some := false; ; some = true {
			n, _, err := unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return some
			case err != nil:
				failed = err
				return true
			case n < unix.NLMSG_HDRLEN:
				continue
			}
			cpu := n - unix.NLMSG_HDRLEN - answerSize
			if n >= int(binary.NativeEndian.Uint32(b)) { // it is whole
				cpu = -1
			}
			event(b[unix.NLMSG_HDRLEN:n], cpu)
		}
	})
	if failed != nil {
		return failed
	}
	return err
}
