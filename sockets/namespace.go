package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/mdlayher/netlink"
)

// namespace is the network namespace that sockets are observed in; its zero value is that of
// this process.
type namespace struct{ file *os.File } // /proc/PID/ns/net, see namespaces(7)

// namespaceOf opens the network namespace of a process. It is the zero value if this process
// is in it too, and for 0. The error is one line and says what to do.
func namespaceOf(pid int) (namespace, error) {
	switch {
	case pid == 0:
		return namespace{}, nil
	case runtime.GOOS != "linux":
		return namespace{}, fmt.Errorf("network namespaces are of Linux: %w", errors.ErrUnsupported)
	case pid < 0:
		return namespace{}, fmt.Errorf("%d is no id of a running process", pid)
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return namespace{}, fmt.Errorf("no process %d is running here: give the server's process id on this host, such as "+
			"docker inspect -f '{{.State.Pid}}' NAME prints", pid)
	case err != nil:
		return namespace{}, lackOfRight(pid, err)
	}
	of, err := file.Stat()
	own, ownErr := os.Stat("/proc/thread-self/ns/net")
	if err == nil && ownErr == nil && os.SameFile(of, own) {
		return namespace{}, file.Close()
	}
	return namespace{file}, nil
}

// lackOfRight says which capability it takes to enter the network namespace of a process.
func lackOfRight(pid int, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("enter the network namespace of process %d: %w", pid, err)
	}
	return fmt.Errorf("enter the network namespace of process %d: this needs CAP_SYS_ADMIN, and for a process of "+
		"another user CAP_SYS_PTRACE: run finwait as root, or run finwait observe beside the server, by --observe-exec "+
		"(%w)", pid, err)
}

// config returns how netlink sockets are opened in the namespace. The library moves a thread
// there and back, and gives up the thread if it cannot be moved back.
func (n namespace) config() *netlink.Config {
	config := &netlink.Config{MessageBufferSize: messageSize}
	if n.file != nil {
		config.NetNS = int(n.file.Fd())
	}
	return config
}

func (n namespace) close() {
	if n.file != nil {
		_ = n.file.Close()
	}
}
