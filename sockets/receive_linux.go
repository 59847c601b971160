package sockets

import (
	"encoding/binary"
	"errors"
	"runtime"
	"time"

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

// receiveDump hands over each answer to a dump that was asked for, with a moment
// by which the kernel had written it: it writes the first datagram when it is
// asked, and each further one while the one before is taken (netlink_recvmsg in
// net/netlink/af_netlink.c). b holds one datagram.
func receiveDump(c *netlink.Conn, b []byte, answer func(data []byte, by time.Time)) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	for done := false; !done; {
		var n int
		var by time.Time
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			for failed = unix.EINTR; failed == unix.EINTR; {
				by = time.Now()
				n, _, failed = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			}
			return failed != unix.EAGAIN
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		for m := b[:n]; len(m) >= unix.NLMSG_HDRLEN && !done; {
			size := int(binary.NativeEndian.Uint32(m))
			if size < unix.NLMSG_HDRLEN || size > len(m) {
				return errors.New("a netlink message that is cut short")
			}
			data := m[unix.NLMSG_HDRLEN:size]
			switch binary.NativeEndian.Uint16(m[4:]) {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				if len(data) >= 4 && binary.NativeEndian.Uint32(data) != 0 {
					return unix.Errno(-int32(binary.NativeEndian.Uint32(data)))
				}
				done = true
			default:
				answer(data, by)
			}
			m = m[min(len(m), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
		}
	}
	return nil
}
