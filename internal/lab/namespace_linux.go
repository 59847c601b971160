package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/internal/thread"
)

// Namespace is a network namespace without a name: it ends when the lab is closed and no
// process and no socket is left in it.
type Namespace struct{ file *os.File }

// newNamespace makes a namespace. Its interfaces are down.
func newNamespace() (*Namespace, error) {
	n := &Namespace{}
	err := thread.Run(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return &Unavailable{"CAP_SYS_ADMIN", fmt.Errorf("make a network namespace: %w", err)}
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return n, err
}

// Do runs f in the namespace, and blocks until f has returned. What f opens stays in the
// namespace: sockets for ever, commands with all that they start. f must open them itself,
// not by a goroutine that it starts. [net.Dialer] does so where the address is an IP
// address, [exec.Cmd] does always.
func (n *Namespace) Do(f func() error) error {
	return thread.Run(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace (setns): %w", err)
		}
		return f()
	})
}

// Listen listens in the namespace at an address of its own, such as 10.99.0.2:0.
func (n *Namespace) Listen(address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Dial connects to an IP address and port from the namespace, within the time.
func (n *Namespace) Dial(address string, limit time.Duration) (conn net.Conn, err error) {
	err = n.Do(func() error {
		conn, err = net.DialTimeout("tcp", address, limit)
		return err
	})
	return conn, err
}

// Start starts the command in the namespace, as [exec.Cmd.Start] does.
func (n *Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }
