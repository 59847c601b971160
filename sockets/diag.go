package sockets

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/finwait/finwait/internal/zone"
)

// Socket is the kernel's view of one TCP socket, out of struct inet_diag_msg
// (linux/inet_diag.h).
type Socket struct {
	State  string // "ESTABLISHED", "FIN_WAIT1", "CLOSE_WAIT" … as in include/net/tcp_states.h
	Inode  uint32 // of the descriptor; 0: no process holds the socket (not accepted yet, or closed)
	Cookie uint64 // identifies the socket until the host restarts (SO_COOKIE in socket(7))
	mini   bool   // this is the entry in the place of a freed socket, in state TIME_WAIT or FIN_WAIT2
}

const (
	synReceived = "SYN_RECV"
	finWait1    = "FIN_WAIT1"
	finWait2    = "FIN_WAIT2"
	timeWait    = "TIME_WAIT"
	closed      = "CLOSE"
	lastAck     = "LAST_ACK"
	listen      = "LISTEN"
	closing     = "CLOSING"
)

// stateName returns the name of a state (include/net/tcp_states.h).
func stateName(state uint8) string {
	names := [...]string{
		1: "ESTABLISHED", 2: "SYN_SENT", 3: synReceived, 4: finWait1, 5: finWait2, 6: timeWait,
		7: closed, 8: "CLOSE_WAIT", 9: lastAck, 10: listen, 11: closing, 12: synReceived,
	}
	if int(state) < len(names) && names[state] != "" {
		return names[state]
	}
	return fmt.Sprintf("STATE_%d", state)
}

// These are sizes and offsets of struct inet_diag_req_v2 and struct inet_diag_msg, and
// constants of Linux, written out so that the file compiles on every system.
const (
	requestSize   = 56
	requestPorts  = 8 // struct inet_diag_sockid
	requestSource = 12
	requestPeer   = 28
	requestDevice = 44 // index of the interface, which a link-local address needs
	requestCookie = 48

	answerSize   = 72
	answerState  = 1
	answerTimer  = 2
	answerDevice = 40 // index of the interface to which the socket is bound
	answerCookie = 44
	answerInode  = 68

	timerTimeWait = 3 // idiag_timer of a TIME_WAIT entry, whatever state it shows
	sockByFamily  = 20
	inet4         = 2
	inet6         = 10
	tcp           = 6
	anyCookie     = ^uint64(0) // INET_DIAG_NOCOOKIE, twice

	exact = netlink.Request
	dump  = netlink.Request | netlink.Dump
)

// request wraps a body for SOCK_DIAG_BY_FAMILY.
func request(flags netlink.HeaderFlags, body []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: sockByFamily, Flags: flags}, Data: body}
}

// emptyRequest is a struct inet_diag_req_v2 for TCP sockets in no state at all.
func emptyRequest() []byte {
	b := make([]byte, requestSize)
	b[0], b[1] = inet4, tcp
	return b
}

// exactRequest asks for the one socket that is bound to server and connected to peer, with
// any cookie. A request of AF_INET also finds the IPv4 connection of a dual-stack socket.
func exactRequest(server, peer netip.AddrPort) []byte {
	b := emptyRequest()
	src, dst := server.Addr().Unmap(), peer.Addr().Unmap()
	if src.Is4() && dst.Is4() {
		copy(b[requestSource:], src.AsSlice())
		copy(b[requestPeer:], dst.AsSlice())
	} else {
		s, d := src.As16(), dst.As16()
		b[0] = inet6
		copy(b[requestSource:], s[:])
		copy(b[requestPeer:], d[:])
		binary.NativeEndian.PutUint32(b[requestDevice:], zone.Index(cmp.Or(src.Zone(), dst.Zone())))
	}
	binary.BigEndian.PutUint16(b[requestPorts:], server.Port())
	binary.BigEndian.PutUint16(b[requestPorts+2:], peer.Port())
	setCookie(b, anyCookie)
	return b
}

// setCookie restricts a request to the socket with that cookie and to the TIME_WAIT entry
// in its place; the kernel answers "not found" for every other.
func setCookie(b []byte, cookie uint64) {
	binary.NativeEndian.PutUint32(b[requestCookie:], uint32(cookie))
	binary.NativeEndian.PutUint32(b[requestCookie+4:], uint32(cookie>>32))
}

// decode reads the struct inet_diag_msg at the beginning of b.
func decode(b []byte) (Socket, error) {
	if len(b) < answerSize {
		return Socket{}, fmt.Errorf("sock_diag message of %d bytes, want %d", len(b), answerSize)
	}
	return Socket{
		State: stateName(b[answerState]),
		Inode: binary.NativeEndian.Uint32(b[answerInode:]),
		Cookie: uint64(binary.NativeEndian.Uint32(b[answerCookie:])) |
			uint64(binary.NativeEndian.Uint32(b[answerCookie+4:]))<<32,
		mini: b[answerTimer] == timerTimeWait,
	}, nil
}
