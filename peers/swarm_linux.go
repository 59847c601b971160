package peers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fillFrame = 16 << 10               // of the texts by which a server's buffers are filled
	fillMost  = 128 << 10              // bytes of them for each peer
	fillStall = 250 * time.Millisecond // without progress: they are full
	fillMSS   = 536                    // bytes; it keeps the server's send buffers small (TCP_MAXSEG in tcp(7))
	turnsOf   = 32                     // peers that close between two looks at what happens
)

// A member's way through its life.
const (
	unborn = iota
	connecting
	upgrading
	joined
	over // its descriptor is closed
)

// swarm is a [Swarm] under way. One goroutine does everything but calls of
// released.
type swarm struct {
	*Swarm
	start   time.Time
	poll    int
	wake    int // an eventfd
	events  [1024]unix.EpollEvent
	buf     [64 << 10]byte
	filler  []byte
	opening []int // members under way to their 101
	next    int   // member to be opened
	failed  int
	fired   bool // the trigger was
	settled int  // members before this one have been let go

	mu      sync.Mutex // covers Released and Bound of members, and what follows
	all     []one
	byPeer  map[netip.AddrPort]int
	trigger time.Duration // of all that have none of their own
	failure error         // of Trigger
	ended   bool
}

// one is a member with what the loop needs of it.
type one struct {
	Member
	fd       int
	phase    int
	blind    bool // it reads no more
	since    time.Duration
	key      string
	response []byte
	decoder  decoder
	closed   bool // it sent a Close frame
	filled   int  // bytes of fill sent
}

// Run opens all peers, holds them, triggers, and returns when all have been let
// go, the patience is over or ctx is done, with what was seen until then. The
// error is that nothing could be measured.
func (s *Swarm) Run(ctx context.Context) ([]Member, error) {
	w := &swarm{Swarm: s, start: time.Now(), byPeer: make(map[netip.AddrPort]int, len(s.Peers)), all: make([]one, len(s.Peers))}
	w.filler = Filler(fillFrame).Encode()
	for i, kind := range s.Peers {
		w.all[i] = one{Member: Member{Kind: kind}, fd: -1}
	}
	w.Setup, w.Patience = cmp.Or(w.Setup, setupDefault), cmp.Or(w.Patience, patienceDefault)
	if err := w.open(); err != nil {
		return nil, err
	}
	defer w.close()
	if s.Started != nil {
		s.Started(w.released)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := w.run(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	out := make([]Member, len(w.all))
	for i := range w.all {
		m := &w.all[i]
		if m.Until = w.now(); m.Trigger == 0 {
			m.Trigger = w.trigger
		}
		out[i] = m.Member
	}
	return out, err
}

// open makes the loop's descriptors.
func (s *swarm) open() (err error) {
	if s.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(err, unix.Close(s.poll))
	}
	return unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, s.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
}

func (s *swarm) close() {
	for i := range s.all {
		s.drop(&s.all[i], false)
	}
	_ = unix.Close(s.poll)
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.wake)
	s.wake = -1
}

func (s *swarm) now() time.Duration { return time.Since(s.start) }

// nudge ends the wait of the loop.
func (s *swarm) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake >= 0 {
		_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// released takes what an observer saw.
func (s *swarm) released(peer netip.AddrPort, at time.Time, bound time.Duration) {
	s.mu.Lock()
	i, known := s.byPeer[peer]
	if known && !s.ended && s.all[i].Released == 0 {
		s.all[i].Released, s.all[i].Bound = at.Sub(s.start), bound
	}
	s.mu.Unlock()
	s.nudge()
}

// run is the life of the swarm.
func (s *swarm) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.nudge)()
	atOnce := s.AtOnce
	if atOnce <= 0 {
		atOnce = 64
	}
	for s.next < len(s.all) || len(s.opening) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for s.next < len(s.all) && len(s.opening) < atOnce {
			s.dial(s.next)
			s.next++
		}
		limit := s.now() + time.Second
		if len(s.opening) > 0 {
			limit = s.all[s.opening[0]].since + s.Setup // the oldest
		}
		s.turn(limit)
		s.expire()
	}
	s.until(ctx, s.now()+s.Hold, func() bool { return false })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.fill(ctx)
	if s.fired = true; s.Trigger == nil {
		s.closeAll()
	} else {
		s.each(Vanishes, s.vanish)
		defer s.stop(ctx)()
	}
	s.until(ctx, s.now()+s.Patience, func() bool { return s.failure != nil || s.over() })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// stop makes the server close, in a goroutine for whose end the returned
// function waits.
func (s *swarm) stop(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	s.mu.Lock()
	s.trigger = s.now()
	s.mu.Unlock()
	running.Go(func() {
		at, err := s.Trigger(ctx)
		s.mu.Lock()
		if s.failure = err; err == nil {
			s.trigger = at.Sub(s.start)
		}
		s.mu.Unlock()
		s.nudge()
	})
	return func() { cancel(); running.Wait() }
}

// over tells whether there is nothing more to see; s.mu is held.
func (s *swarm) over() bool {
	for ; s.settled < len(s.all); s.settled++ {
		m := &s.all[s.settled]
		gone := m.phase == over || m.FIN > 0 || m.Kind == Vanishes
		if m.Err == "" && !m.Lost && (!gone || s.Joined != nil && m.Released == 0) {
			return false
		}
	}
	return true
}

// until lets things happen until the limit, or the condition.
func (s *swarm) until(ctx context.Context, limit time.Duration, cond func() bool) {
	for ctx.Err() == nil && s.now() < limit {
		s.mu.Lock()
		done := cond()
		s.mu.Unlock()
		if done {
			return
		}
		s.turn(limit)
	}
}

// turn waits for events until the limit, and handles them.
func (s *swarm) turn(limit time.Duration) {
	wait := limit - s.now()
	n, err := unix.EpollWait(s.poll, s.events[:], int(max(0, (wait+time.Millisecond-1)/time.Millisecond)))
	if err != nil { // EINTR
		return
	}
	at := s.now()
	for _, e := range s.events[:n] {
		if e.Fd < 0 {
			var count [8]byte
			_, _ = unix.Read(s.wake, count[:])
			continue
		}
		s.event(int(e.Fd), e.Events, at)
	}
}

// dial begins to open a member's connection.
func (s *swarm) dial(i int) {
	m := &s.all[i]
	m.since = s.now()
	if err := s.connect(m, i); err != nil {
		s.fail(i, err)
		return
	}
	m.phase = connecting
	s.opening = append(s.opening, i)
}

func (s *swarm) connect(m *one, i int) (err error) {
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
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: s.Server.Addr().As16(), Port: int(s.Server.Port())}
	if domain == unix.AF_INET {
		to = &unix.SockaddrInet4{Addr: s.Server.Addr().As4(), Port: int(s.Server.Port())}
	}
	if err := unix.Connect(m.fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	events := uint32(unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET)
	return unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, m.fd, &unix.EpollEvent{Events: events, Fd: int32(i)})
}

// event handles what epoll tells of a member.
func (s *swarm) event(i int, what uint32, at time.Duration) {
	m := &s.all[i]
	if m.phase == connecting && what&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if err := takeError(uintptr(m.fd)); err != nil {
			s.fail(i, err)
			return
		}
		if err := s.ask(m, i); err != nil {
			s.fail(i, err)
			return
		}
	}
	if m.phase != upgrading && m.phase != joined {
		return
	}
	if m.blind {
		s.look(m, what, at)
		return
	}
	for m.phase != over && !m.blind {
		n, err := unix.Read(m.fd, s.buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
		case isReset(err), errors.Is(err, unix.EPIPE):
			s.ends(m, i, RST, at)
		case err != nil:
			m.Err = "connection broken: " + errno(err)
			s.ends(m, i, Broken, at)
		case n == 0:
			s.ends(m, i, FIN, at)
			if m.phase == joined && what&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && takeError(uintptr(m.fd)) != nil {
				s.ends(m, i, RST, at) // behind the FIN
			}
			return
		case m.phase == upgrading:
			s.upgrade(m, i, s.buf[:n])
		default:
			m.decoder.feed(s.buf[:n])
		}
	}
}

// look dates the end of a member that does not read.
func (s *swarm) look(m *one, what uint32, at time.Duration) {
	if what&unix.EPOLLRDHUP != 0 && m.FIN == 0 && what&unix.EPOLLERR == 0 {
		m.FIN = at
	}
	if what&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && m.RST == 0 {
		m.RST = at
		s.drop(m, false)
	}
}

// ask sends the request.
func (s *swarm) ask(m *one, i int) error {
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
	_, err = unix.Write(m.fd, s.request(m.key))
	return err
}

// upgrade takes bytes of the response.
func (s *swarm) upgrade(m *one, i int, b []byte) {
	before := len(m.response)
	m.response = append(m.response, b[:min(len(b), maxResponse+4-before)]...)
	head, _, complete := bytes.Cut(m.response, []byte("\r\n\r\n"))
	switch {
	case complete:
		if _, err := s.checkResponse(m.response, m.key); err != nil {
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
	s.opened(i)
	m.decoder.feed(b[len(head)+4-before:])
}

// frame reacts to a frame of the server.
func (s *swarm) frame(m *one, h Header, payload []byte) {
	switch {
	case h.Opcode == OpPing && !m.closed:
		_, _ = unix.Write(m.fd, Frame{Opcode: OpPong, Payload: payload}.Encode())
	case h.Opcode == OpClose && m.Told == 0:
		c := Close{Body: payload}
		code, ok := c.Code()
		if !ok {
			code, payload = -1, nil
		}
		m.Told, m.Code = s.now(), code
		switch {
		case m.Kind == Resets:
			s.drop(m, true)
		case m.Kind != Ignores && !m.closed:
			m.closed = true
			_, _ = unix.Write(m.fd, CloseBody(payload[:min(2, len(payload))]).Encode())
		}
	}
}

// ends dates an end of TCP by the server.
func (s *swarm) ends(m *one, i int, how Ending, at time.Duration) {
	if m.phase == upgrading {
		s.fail(i, fmt.Errorf("the server ended the handshake (%s)", how))
		return
	}
	if !s.fired {
		m.Lost = true
	}
	switch {
	case how == Broken:
		s.drop(m, false)
	case how == RST:
		m.RST = at
		s.drop(m, false)
	case m.FIN == 0:
		if m.FIN = at; m.Kind == Polite || m.Lost {
			s.drop(m, true) // both have sent FIN
		} else {
			// The ACK of the FIN may be 40 ms late, and the server's kernel keeps the
			// socket until then.
			_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		}
	}
}

// drop closes a descriptor: quietly after the server's FIN, else with RST.
func (s *swarm) drop(m *one, quietly bool) {
	if m.fd < 0 {
		return
	}
	if !quietly || m.FIN == 0 {
		_ = unix.SetsockoptLinger(m.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	_ = unix.Close(m.fd)
	m.fd, m.phase = -1, over
}

func (s *swarm) fail(i int, err error) {
	m := &s.all[i]
	m.Err = clip(err.Error(), 200)
	m.phase = joined // for drop
	s.drop(m, false)
	m.phase = over
	s.failed++
	s.opened(i)
}

// opened ends a member's opening, for better or worse.
func (s *swarm) opened(i int) {
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

// expire fails openings that take too long.
func (s *swarm) expire() {
	for len(s.opening) > 0 && s.now() > s.all[s.opening[0]].since+s.Setup {
		s.fail(s.opening[0], fmt.Errorf("the server did not answer the request within %s", s.Setup))
	}
}

// each does something to all open members of a kind, or of all kinds, and looks
// after the others in between.
func (s *swarm) each(kind Kind, do func(m *one)) {
	for i := range s.all {
		if m := &s.all[i]; m.phase == joined && (kind == "" || m.Kind == kind) {
			do(m)
		}
		if i%turnsOf == 0 {
			s.turn(0)
		}
	}
}

// fill makes those that stop reading do so, and fills what the server sends them
// until it, or they, take no more.
func (s *swarm) fill(ctx context.Context) {
	sent := 0
	fill := func(m *one) {
		m.blind = true
		for m.filled < fillMost {
			n, err := unix.Write(m.fd, s.filler[m.filled%len(s.filler):])
			if err != nil {
				return
			}
			m.filled += n
			sent += n
		}
	}
	for progress := true; progress && ctx.Err() == nil; {
		before := sent
		s.each(StopsReading, fill)
		if progress = sent > before; progress {
			s.until(ctx, s.now()+fillStall, func() bool { return false })
		}
	}
}

// closeAll is the trigger where the peers close.
func (s *swarm) closeAll() {
	s.trigger = s.now() // no other goroutine asks for it
	s.each("", func(m *one) {
		m.Trigger = s.now()
		switch m.Kind {
		case Vanishes:
			s.vanish(m)
		case Resets:
			s.drop(m, false)
		default:
			m.closed = true
			if m.filled%len(s.filler) == 0 { // else it would stand inside a frame
				_, _ = unix.Write(m.fd, CloseFrame(1000, "").Encode())
			}
		}
	})
}

// vanish makes a member go dark.
func (s *swarm) vanish(m *one) {
	m.blind = true
	if err := goDark(uintptr(m.fd)); err != nil {
		m.Err = err.Error()
	}
}

// Check tells whether this host has the open files and ports for the swarm
// towards a server on that host.
func (s *Swarm) Check(host string) error {
	const others = 64 // descriptors besides the peers'
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(len(s.Peers)+others) {
		return fmt.Errorf("%d peers need %d open files, the limit is %d: raise it with ulimit -n %[2]d", len(s.Peers), len(s.Peers)+others, files.Cur)
	}
	addr, _ := netip.ParseAddr(host)
	_, rotates := Source(addr, 0)
	var first, last int
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scan := fmt.Sscan(string(b), &first, &last); err != nil || scan != nil {
		return nil // the failures will tell
	}
	ports, remedy := last-first+1, "widen net.ipv4.ip_local_port_range, or give a loopback IPv4 address, towards which addresses are rotated"
	if rotates {
		ports, remedy = ports*sources, "widen net.ipv4.ip_local_port_range"
	}
	if len(s.Peers) > ports {
		return fmt.Errorf("%d peers need as many ports, this host has %d: %s", len(s.Peers), ports, remedy)
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
