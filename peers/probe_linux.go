package peers

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// unacked tells how many sent bytes the server's kernel has not acknowledged
// (SIOCOUTQ in tcp(7)).
func unacked(fd uintptr) (int, error) {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
	return n, os.NewSyscallError("ioctl SIOCOUTQ", err)
}

// boundRetransmission bounds what a dark peer, or a lost segment, costs: what was sent comes again
// within a second (TCP_RTO_MAX_MS, Linux 6.15), and the peer's own socket does not end with
// ETIMEDOUT after so many retransmissions (TCP_USER_TIMEOUT in tcp(7)).
func boundRetransmission(fd uintptr) error {
	const most, least = 120_000, 1000 // milliseconds; the kernel takes no less
	if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, most); err != nil {
		return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", err)
	}
	return os.NewSyscallError("setsockopt TCP_RTO_MAX_MS", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, least))
}

// kernelRoundTrip is the kernel's figure, tcpi_rtt of TCP_INFO: once connected, from SYN to SYN-ACK.
// 0: it has none.
func (w *wire) kernelRoundTrip() (d time.Duration) {
	w.control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			d = time.Duration(info.Rtt) * time.Microsecond
		}
	})
	return d
}

// RTOMax tells why a peer cannot bound its retransmission timeout on this host, so that one that
// went dark may learn late what a [Probe] asked; nil: it can, by TCP_RTO_MAX_MS (Linux 6.15). It
// tries on a socket of its own.
func RTOMax() error { return onNewSocket(boundRetransmission) }

// reportAcks makes the kernel put a message into the socket's error queue when data that is sent
// from now on is acknowledged (SO_TIMESTAMPING in the kernel's networking/timestamping.rst).
func reportAcks(fd uintptr) error {
	const flags = unix.SOF_TIMESTAMPING_TX_ACK | unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_TSONLY
	return os.NewSyscallError("setsockopt SO_TIMESTAMPING", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags))
}

// awaitAck blocks until all that was sent is acknowledged (true), TCP has ended in both directions,
// or the limit has passed, which is the write deadline too. The error queue of [reportAcks] wakes it;
// it also tells of an ACK that an RST followed at once.
func (w *wire) awaitAck(limit time.Time, over func() bool) (acked bool) {
	reported := true
	w.control(func(fd uintptr) {
		flags, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING)
		reported = err == nil && flags&unix.SOF_TIMESTAMPING_TX_ACK != 0
	})
	raw, err := w.SyscallConn()
	if err != nil || !reported {
		return w.pollAck(limit, over)
	}
	_ = raw.Write(func(fd uintptr) bool {
		var control [512]byte
		_, _, _, _, err := unix.Recvmsg(int(fd), nil, control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		acked = err == nil
		return acked || tcpState(fd) == tcpClose
	})
	return acked
}

// keepalive makes the kernel send a keepalive probe as soon as nothing has come for a second, and
// each second (tcp(7)).
func keepalive(fd uintptr) error {
	if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_KEEPALIVE", err)
	}
	if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1); err != nil {
		return os.NewSyscallError("setsockopt TCP_KEEPINTVL", err)
	}
	return os.NewSyscallError("setsockopt TCP_KEEPIDLE", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1))
}

func (w *wire) segments() (s segments, err error) {
	w.control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			s = segments{info.Segs_in, info.Unacked, info.Notsent_bytes}
		}
	})
	return s, os.NewSyscallError("getsockopt TCP_INFO", err)
}

// sinceAck tells how long ago the last segment with an ACK came (tcpi_last_ack_recv of TCP_INFO):
// a FIN has one, an RST does not count. 0 where it is not known.
func (w *wire) sinceAck() (d time.Duration) {
	w.control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			d = time.Duration(info.Last_ack_recv) * time.Millisecond
		}
	})
	return d
}
