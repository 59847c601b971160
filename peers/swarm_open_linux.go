package peers

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/internal/zone"
)

// dial begins to open a member's connection.
func (s *swarm) dial(i int) {
	m := &s.members[i]
	m.dialed = s.now()
	if err := s.connect(m, i); err != nil {
		s.fail(i, AsShortage(err))
		return
	}
	m.phase = connecting
	s.opening = append(s.opening, i)
}

func (s *swarm) connect(m *member, i int) (err error) {
	domain := unix.AF_INET
	if !s.Server.Addr().Is4() {
		domain = unix.AF_INET6
	}
	if m.fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		m.fd = -1
		return err
	}
	if source, ok := Source(s.Server.Addr(), i); ok {
		_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(m.fd, &unix.SockaddrInet4{Addr: source.As4()}); err != nil {
			return err
		}
	}
	if m.Kind == StopsReading {
		_ = unix.SetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10)
		_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, fillMSS)
	}
	_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: s.Server.Addr().As16(), Port: int(s.Server.Port()),
		ZoneId: zone.Index(s.Server.Addr().Zone())}
	if domain == unix.AF_INET {
		to = &unix.SockaddrInet4{Addr: s.Server.Addr().As4(), Port: int(s.Server.Port())}
	}
	if err := unix.Connect(m.fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	events := uint32(unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET)
	return unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, m.fd, &unix.EpollEvent{Events: events, Fd: int32(i)})
}

// sendRequest sends the upgrade request.
func (s *swarm) sendRequest(m *member, i int) error {
	name, err := unix.Getsockname(m.fd)
	if err != nil {
		return err
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		m.Peer = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		m.Peer = netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	s.mu.Lock()
	s.byPeer[m.Peer] = i
	s.mu.Unlock()
	if s.Joined != nil {
		s.Joined(m.Peer)
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	m.key = base64.StdEncoding.EncodeToString(nonce[:])
	m.phase = upgrading
	m.send(s.request(m.key))
	return nil
}

// upgrade takes bytes of the response, until it is complete.
func (s *swarm) upgrade(m *member, i int, b []byte) {
	before := len(m.response)
	m.response = append(m.response, b[:min(len(b), maxResponse+4-before)]...)
	head, _, complete := bytes.Cut(m.response, []byte("\r\n\r\n"))
	switch {
	case complete:
		if _, _, err := s.checkResponse(m.response, m.key); err != nil {
			s.fail(i, err)
			return
		}
	case len(m.response) > maxResponse:
		s.fail(i, fmt.Errorf("the handshake response has no end after %d KiB", maxResponse>>10))
		return
	default:
		return
	}
	m.phase, m.key, m.response = joined, "", nil
	m.decoder = decoder{
		onFrame:   func(h Header, payload []byte) { s.frame(m, h, payload) },
		onMessage: func(Message) {},
		malformed: func(string) {},
	}
	s.openingEnded(i)
	m.decoder.feed(b[len(head)+4-before:])
}

func (s *swarm) fail(i int, err error) {
	m := &s.members[i]
	m.Err = clip(err.Error(), 200)
	m.phase = joined // for drop
	s.drop(m, false)
	m.phase = over
	s.failed++
	s.openingEnded(i)
}

// openingEnded takes a member off the list of those that are being opened, whether it
// succeeded or failed.
func (s *swarm) openingEnded(i int) {
	for at, j := range s.opening {
		if i == j {
			s.opening = append(s.opening[:at], s.opening[at+1:]...)
			break
		}
	}
	if s.Progress != nil {
		s.Progress(s.next-len(s.opening)-s.failed, s.failed)
	}
}

// failLateOpenings fails openings that take too long.
func (s *swarm) failLateOpenings() {
	for len(s.opening) > 0 && s.now() > s.members[s.opening[0]].dialed+s.Setup {
		s.fail(s.opening[0], fmt.Errorf("the server did not answer the request within %s", s.Setup))
	}
}

// Check tells whether this host has the open files and ports for the swarm
// towards a server on that host.
func (s *Swarm) Check(host string) error {
	const others = 64 // descriptors besides the peers'
	what := fmt.Sprintf("%d peers", len(s.Peers))
	if err := CheckFiles(what, len(s.Peers)+others); err != nil {
		return err
	}
	addr, _ := netip.ParseAddr(host)
	if _, rotates := Source(addr, 0); rotates {
		return CheckPorts(what, len(s.Peers), sources)
	}
	if err := CheckPorts(what, len(s.Peers), 1); err != nil {
		return fmt.Errorf("%w, or give a loopback IPv4 address, towards which addresses are rotated", err)
	}
	return nil
}

// Source is the loopback address from which the i-th peer of a swarm connects to
// a loopback server: each has some 28,000 ports. False: the system chooses.
func Source(server netip.Addr, i int) (netip.Addr, bool) {
	if !server.Is4() || !server.IsLoopback() {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i%sources)}), true
}

const sources = 100
