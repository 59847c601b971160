package peers

import (
	"os"
	"syscall"
	"unsafe"
)

// unacked tells how many sent bytes the server's kernel has not acknowledged: BytesInFlight of
// TCP_INFO_v0, by SIO_TCP_INFO (mstcpip.h; Windows 10 1703). Where the server's window is full,
// bytes wait without being in flight: then it is at least one. ECONNRESET: TCP has ended.
func unacked(fd uintptr) (int, error) {
	const sioTCPInfo, closed = 0xd8000027, 0
	var version uint32
	var info struct {
		State, Mss                       uint32
		ConnectionTimeMs                 uint64
		TimestampsEnabled                byte
		RttUs, MinRttUs, BytesInFlight   uint32
		Cwnd, SndWnd, RcvWnd, RcvBuf     uint32
		BytesOut, BytesIn                uint64
		BytesReordered, BytesRetrans     uint32
		FastRetrans, DupAcksIn, Timeouts uint32
		SynRetrans                       byte
	}
	var n uint32
	err := syscall.WSAIoctl(syscall.Handle(fd), sioTCPInfo, (*byte)(unsafe.Pointer(&version)), uint32(unsafe.Sizeof(version)),
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), &n, nil, 0)
	switch {
	case err != nil:
		return 0, os.NewSyscallError("WSAIoctl SIO_TCP_INFO", err)
	case info.State == closed:
		return 0, syscall.Errno(10054) // WSAECONNRESET
	case info.SndWnd == 0:
		return max(1, int(info.BytesInFlight)), nil
	}
	return int(info.BytesInFlight), nil
}
