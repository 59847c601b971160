package peers

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// unacked tells how many sent bytes the server's kernel has not acknowledged: the send buffer
// (SO_NWRITE), here by TCP_CONNECTION_INFO, for an RST empties the buffer, and the state that comes
// with it tells of that. ECONNRESET: TCP has ended.
func unacked(fd uintptr) (int, error) {
	const closed = 0 // TCPS_CLOSED (netinet/tcp_fsm.h)
	info, err := unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO)
	switch {
	case err != nil:
		return 0, os.NewSyscallError("getsockopt TCP_CONNECTION_INFO", err)
	case info.State == closed:
		return 0, syscall.ECONNRESET
	}
	return int(info.Snd_sbbytes), nil
}
