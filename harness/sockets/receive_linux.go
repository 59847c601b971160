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

// receive waits for messages and hands over all that are there, one at a time;
// b holds one datagram. Thousands of events come within milliseconds: taken one
// by one through the library they would be dated late.
func receive(c *netlink.Conn, b []byte, message func(data []byte)) error {
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
			}
			for rest := b[:n]; len(rest) >= unix.NLMSG_HDRLEN; {
				length := int(binary.NativeEndian.Uint32(rest))
				if length < unix.NLMSG_HDRLEN || length > len(rest) {
					break
				}
				message(rest[unix.NLMSG_HDRLEN:length])
				rest = rest[min((length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(rest)):]
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}
