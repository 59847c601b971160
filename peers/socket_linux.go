package peers

import (
	"errors"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watchable tells why the end of TCP cannot be seen on a socket that is not read; nil:
// epoll(7) tells of it.
func watchable() error { return nil }

// TCP states (include/net/tcp_states.h).
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

func setReceiveBuffer(fd uintptr, bytes int) error {
	return os.NewSyscallError("setsockopt SO_RCVBUF", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
}

// cork holds back what is sent until FIN, or a full segment (tcp(7)).
func cork(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) }

// tcpState reads the state from TCP_INFO (tcp(7)); CLOSE where it cannot.
func tcpState(fd uintptr) int {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return tcpClose
	}
	return int(info.State)
}

// takeError returns the socket's pending error, SO_ERROR, and clears it.
func takeError(fd uintptr) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		return syscall.Errno(n)
	}
	return err
}

// goDark makes the kernel drop every incoming segment of the connection before
// TCP sees it: those with a TTL below 255 (IP_MINTTL in ip(7),
// IPV6_MINHOPCOUNT in ipv6(7)). A pending ACK is sent first, so that what had
// come is not retransmitted.
func goDark(fd uintptr) error {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	return setMinTTL(int(fd), 255)
}

// comeBack undoes goDark.
func comeBack(fd uintptr) error { return setMinTTL(int(fd), 0) }

func setMinTTL(fd, hops int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_DOMAIN", err)
	}
	if domain == unix.AF_INET6 {
		return os.NewSyscallError("setsockopt IPV6_MINHOPCOUNT", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, hops))
	}
	return os.NewSyscallError("setsockopt IP_MINTTL", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, hops))
}

// drops reads how many segments the kernel dropped on this socket:
// SO_MEMINFO[SK_MEMINFO_DROPS] (linux/sock_diag.h).
func drops(fd uintptr) (uint32, error) {
	const skMeminfoDrops, skMeminfoVars = 8, 9
	var vars [skMeminfoVars]uint32
	size := uint32(unsafe.Sizeof(vars))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&vars)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return vars[skMeminfoDrops], nil
}

// dropFIN makes the kernel drop every segment with the FIN bit before TCP sees
// it, and acknowledge all others: SO_ATTACH_FILTER, CAP_NET_ADMIN. The filter
// sees the segment from its TCP header on.
func dropFIN(fd uintptr) error {
	const tcpFlags, finBit, whole = 13, 0x01, 0xffffffff
	return attach(fd, []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: tcpFlags},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: finBit, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: whole},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	})
}

func attach(fd uintptr, filter []unix.SockFilter) error {
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}))
}

// forget makes close(2) send nothing: TCP_REPAIR, CAP_NET_ADMIN. The kernel
// then knows no such connection and answers its segments with RST. What it has
// received it acknowledges before (TCP_QUICKACK in tcp(7)): the server would send
// that again.
func forget(fd uintptr) error {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	return os.NewSyscallError("setsockopt TCP_REPAIR", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1))
}

// keepPort binds a socket that is about to connect to a port that nobody else is
// given as long as the socket that it returns is open: it is bound there too.
func keepPort(fd uintptr) (io.Closer, error) {
	family, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, err
	}
	var address unix.Sockaddr = &unix.SockaddrInet4{}
	if family == unix.AF_INET6 {
		address = &unix.SockaddrInet6{}
	}
	if err := bind(int(fd), address); err != nil {
		return nil, err
	}
	if address, err = unix.Getsockname(int(fd)); err != nil {
		return nil, err
	}
	other, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	out := os.NewFile(uintptr(other), "")
	if err := bind(other, address); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// bind binds to a port that several sockets share.
func bind(fd int, address unix.Sockaddr) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, address)
}

// Dark tells why no peer can go dark on this host; nil: one can, without privilege. It
// tries on a socket of its own.
func Dark() error { return onNewSocket(goDark) }

// NetAdmin tells why no peer can filter segments and forget connections on this host,
// such as for want of CAP_NET_ADMIN; nil: one can. It tries on a socket of its own.
func NetAdmin() error {
	if err := onNewSocket(dropFIN); err != nil {
		return err
	}
	return onNewSocket(forget)
}

func onNewSocket(try func(fd uintptr) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return try(uintptr(fd))
}
