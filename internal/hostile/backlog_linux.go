package hostile

import (
	"net"

	"golang.org/x/sys/unix"
)

// shrinkBacklog leaves room in the backlog for one connection (listen(2)).
func shrinkBacklog(l *net.TCPListener) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), 0) })
	}
}
