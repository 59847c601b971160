package peers

import (
	"errors"
	"syscall"
)

// Shortage is an error of finwait's own host: it has no more of what a connection
// or a process needs. It says nothing about the server.
type Shortage struct {
	Err    error
	Remedy string
}

func (s *Shortage) Error() string {
	return s.Err.Error() + ", on finwait's side and not the server's: " + s.Remedy
}

func (s *Shortage) Unwrap() error { return s.Err }

// AsShortage makes err a [Shortage] where its cause is one.
func AsShortage(err error) error {
	if errors.As(err, new(*Shortage)) {
		return err
	}
	for _, s := range []struct {
		cause  syscall.Errno
		remedy string
	}{
		{syscall.EMFILE, "raise the limit with ulimit -n, or run fewer at once"},
		{syscall.ENFILE, "raise fs.file-max, or run fewer at once"},
		{syscall.EADDRNOTAVAIL, "it has no port, or no address, to connect from: widen net.ipv4.ip_local_port_range, or run fewer at once"},
		{syscall.EADDRINUSE, "it has no port to connect from: widen net.ipv4.ip_local_port_range, or run fewer at once"},
	} {
		if errors.Is(err, s.cause) {
			return &Shortage{err, s.remedy}
		}
	}
	return err
}
