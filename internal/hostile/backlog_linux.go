package hostile

import (
	"net"

	"golang.org/x/sys/unix"
)

// shrinkBacklog leaves room for one connection that nobody accepts (listen(2)).
func shrinkBacklog(l *net.TCPListener) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), 0) })
	}
}
