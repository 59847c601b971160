package sockets

import (
	"encoding/binary"
	"errors"
	"runtime"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// raisePriority locks the calling goroutine to a thread of its own and raises the priority
// of that thread. Without CAP_SYS_NICE the priority stays as it is, and on a busy machine
// times are some milliseconds late.
func raisePriority() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -15)
}

// receive waits for events, and calls event for each that is there, with the CPU that
// reported it; -1: [attachCPUFilter] failed. b holds one datagram. receive reads from the
// descriptor itself, because thousands of events can come within milliseconds, and a call
// of the library for each would date them late.
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
			if n >= int(binary.NativeEndian.Uint32(b)) { // the message is whole: no filter has cut it
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

// receiveDump reads all answers to a dump that was requested, and calls answer for each,
// with a moment by which the kernel had written it. The kernel writes the first datagram
// when the dump is requested, and each further one while the one before is read
// (netlink_recvmsg in net/netlink/af_netlink.c). b holds one datagram.
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
