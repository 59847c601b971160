package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	censusFloor = 5 * time.Millisecond // shortest pause between two dumps; else as long as one took
	censusMarks = 2 * time.Millisecond // pause between two rounds of marks

	answerFamily = 0 // struct inet_diag_msg
	answerPorts  = 4
	answerSource = 8
	answerPeer   = 24

	requestFamily = 0 // struct inet_diag_req_v2
	requestStates = 4

	// States in which an orphan waits for its peer (include/net/tcp_states.h).
	orphanStates = 1<<4 | 1<<9 | 1<<11 // FIN_WAIT1, LAST_ACK, CLOSING
	// An orphan in FIN_WAIT2 gives way to a TIME_WAIT entry at once, and that is in
	// every dump of this state; but it stays where the ACK of its FIN came while
	// close(2) was under way (tcp_rcv_state_process in net/ipv4/tcp_input.c), or
	// tcp_fin_timeout is over 60 s (tcp(7)). Such are looked for in one of so many
	// dumps.
	orphanState2 = 1 << 5
	orphanTurns  = 16
	allStates    = 1<<12 - 1 - 1<<6 - 1<<10
)

// Departure is a socket of the server that a process let go of.
type Departure struct {
	Peer  netip.AddrPort // without a zone
	At    time.Time
	Bound time.Duration // it happened at most so long before At
	Freed bool          // the kernel has freed it too; else it is an orphan
}

// Census follows all connections of one server at once, however many: what the
// kernel frees an event tells, and orphans are seen by dumps of the few states
// in which they are, not by a query for each.
type Census struct {
	server  netip.AddrPort
	left    func(Departure)
	events  *netlink.Conn
	query   *netlink.Conn // for dumps
	answers []byte        // one datagram of a dump
	exact   *netlink.Conn // for one socket at a time
	marks   *marks
	began   time.Time
	done    chan struct{}
	loops   sync.WaitGroup
	looking sync.Mutex // covers query and answers

	mu       sync.Mutex
	peers    map[netip.AddrPort]bool   // whose sockets are held by the server's process
	families map[byte]bool             // of the sockets: one of IPv6 may have IPv4 connections too
	cookie   map[uint64]netip.AddrPort // a socket that was reset has no addresses any more (tcp_disconnect in net/ipv4/tcp.c)
	looks    []look                    // the last dumps for orphans
	wide     time.Time                 // when the last one for all orphans began
	lost     bool                      // events were; alive is when all that are held still were
	alive    time.Time
	trouble  time.Time // until when events may have been lost
	failed   time.Time // when it ended by itself, because of err
	err      error
	ended    func() // is called then
}

// look is a dump that is over.
type look struct{ began, ended time.Time }

const looksKept = 1000

// TakeCensus begins to follow the connections to server that [Census.Add]
// names. left is told of each departure, from one goroutine at a time: of an
// orphan first that, and later that it was freed. ended is called where the census
// ends by itself: no more will be told. The error is that of [Open].
func TakeCensus(server netip.AddrPort, left func(Departure), ended func()) (*Census, error) {
	o := Observer{done: make(chan struct{}), marks: newMarks()}
	err := o.connect()
	var exact *netlink.Conn
	if err == nil {
		exact, err = netlink.Dial(familySockDiag, &netlink.Config{MessageBufferSize: messageSize})
	}
	if err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("observe sockets of this host by sock_diag: %w: %w", errors.ErrUnsupported, err)
	}
	now := time.Now()
	c := &Census{
		server: netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), left: left, ended: ended, began: now, looks: []look{{now, now}}, wide: now, marks: o.marks,
		events: o.events, query: o.query, answers: make([]byte, messageSize), exact: exact, done: make(chan struct{}), peers: map[netip.AddrPort]bool{}, cookie: map[uint64]netip.AddrPort{}, families: map[byte]bool{},
	}
	c.loops.Go(func() { c.marks.run(censusMarks, c.done) })
	c.loops.Go(c.listen)
	c.loops.Go(c.dumps)
	return c, nil
}

// Add names a connection whose handshake is complete: the address of the peer's
// end. It asks the kernel once, some microseconds.
func (c *Census) Add(peer netip.AddrPort) {
	peer = withoutZone(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()))
	answers, err := c.exact.Execute(request(exact, exactRequest(c.server, peer)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers[peer] = true
	if err == nil && len(answers) > 0 {
		if s, err := decode(answers[0].Data); err == nil && s.State != listen {
			c.cookie[s.Cookie] = peer
			c.families[answers[0].Data[answerFamily]] = true
			return
		}
	}
	c.lose() // a dump of all tells whether it is gone
}

// Close ends the census; nothing is told afterwards.
func (c *Census) Close() error {
	close(c.done)
	err := errors.Join(c.events.Close(), c.query.Close(), c.exact.Close())
	c.loops.Wait()
	return err
}

// tell tells of a departure; c.mu is held.
func (c *Census) tell(d Departure) {
	held, known := c.peers[d.Peer]
	switch {
	case !known, !held && !d.Freed:
		return
	case d.Freed:
		delete(c.peers, d.Peer)
	default:
		c.peers[d.Peer] = false
	}
	c.left(d)
}

// listen takes the kernel's destroy events.
func (c *Census) listen() {
	prefer()
	b := make([]byte, messageSize)
	type event struct {
		cookie   uint64
		from, to time.Time
	}
	for {
		var gone []event
		lost, err := c.marks.receive(c.events, b, func(cookie uint64, from, to time.Time) {
			gone = append(gone, event{cookie, from, to})
		})
		select {
		case <-c.done:
			return
		default:
		}
		c.mu.Lock()
		for _, e := range gone {
			if peer, known := c.cookie[e.cookie]; known {
				delete(c.cookie, e.cookie)
				c.tell(Departure{Peer: peer, At: e.to, Bound: e.to.Sub(c.held(e.from)), Freed: true})
			}
		}
		if lost {
			c.lose()
		}
		c.mu.Unlock()
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// lose notes that events may have been lost until now; c.mu is held.
func (c *Census) lose() {
	c.trouble = time.Now()
	if !c.lost {
		c.lost, c.alive = true, c.held(c.marks.oldest())
	}
}

// held is a moment at which a process held a socket that was not told of as an
// orphan and existed still at the time given: the last dump that was over by then
// would have had it. c.mu is held.
func (c *Census) held(existed time.Time) time.Time {
	for _, l := range slices.Backward(c.looks) {
		if !l.ended.After(existed) {
			return l.began
		}
	}
	return c.began
}

// fail notes why the census has ended.
func (c *Census) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.failed, c.err = time.Now(), err
	}
	c.mu.Unlock()
	if first {
		c.ended()
	}
}

// Failed tells since when, and why, not all departures are told any more; nil:
// they are.
func (c *Census) Failed() (since time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed, c.err
}

// dumps looks for orphans, again and again: the kernel has no event for them.
func (c *Census) dumps() {
	prefer()
	for turn := 0; ; turn++ {
		start := time.Now()
		if err := c.look(start, turn%orphanTurns == 0); err != nil {
			select {
			case <-c.done:
			default:
				c.fail(err)
			}
			return
		}
		timer := time.NewTimer(max(censusFloor, time.Since(start)))
		select {
		case <-timer.C:
		case <-c.done:
			timer.Stop()
			return
		}
	}
}

// Look tells of all departures until now: finwait may have been stopped (SIGSTOP) meanwhile.
func (c *Census) Look() {
	c.mu.Lock()
	c.lose() // of who is missing, too
	c.mu.Unlock()
	if err := c.look(time.Now(), true); err != nil {
		c.fail(err)
	}
}

// look makes one dump. Where events may have been lost since the last, it is of
// all sockets and tells who is missing.
func (c *Census) look(start time.Time, wide bool) error {
	c.looking.Lock()
	defer c.looking.Unlock()
	c.mu.Lock()
	lost, states := c.lost, uint32(orphanStates)
	var missing map[netip.AddrPort]bool
	if lost {
		states, missing = allStates, maps.Clone(c.peers)
	}
	if wide {
		states |= orphanState2
	}
	families := maps.Clone(c.families)
	c.mu.Unlock()
	type orphan struct {
		peer   netip.AddrPort
		at     time.Time
		second bool // in FIN_WAIT2
	}
	var orphans []orphan
	cookies := map[uint64]netip.AddrPort{}
	err := c.dump(families, states, func(peer netip.AddrPort, s Socket, at time.Time) {
		if s.mini { // a TIME_WAIT entry in its place
			return
		}
		if _, known := missing[peer]; known {
			cookies[s.Cookie] = peer
			delete(missing, peer)
		}
		switch s.State {
		case finWait1, lastAck, closing, finWait2:
			if s.Inode == 0 {
				orphans = append(orphans, orphan{peer, at, s.State == finWait2})
			}
		}
	})
	if err != nil {
		return err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range orphans {
		since := c.looks[len(c.looks)-1].began
		if o.second {
			since = c.wide
		}
		c.tell(Departure{Peer: o.peer, At: o.at, Bound: o.at.Sub(since)})
	}
	if lost {
		for peer := range missing {
			c.tell(Departure{Peer: peer, At: now, Bound: now.Sub(c.alive), Freed: true})
		}
		maps.Copy(c.cookie, cookies)
		c.alive, c.lost = start, c.trouble.After(start)
	}
	if c.looks = append(c.looks, look{start, now}); len(c.looks) > looksKept {
		c.looks = slices.Delete(c.looks, 0, looksKept/2)
	}
	if wide {
		c.wide = start
	}
	return nil
}

// dump asks for all of the server's sockets that are in one of the states, and
// tells of each with a moment by which it was.
func (c *Census) dump(families map[byte]bool, states uint32, each func(peer netip.AddrPort, s Socket, by time.Time)) error {
	for family := range families {
		body := emptyRequest()
		body[requestFamily] = family
		binary.NativeEndian.PutUint32(body[requestStates:], states)
		binary.BigEndian.PutUint16(body[requestPorts:], c.server.Port())
		if _, err := c.query.Send(request(dump, body)); err != nil {
			return err
		}
		err := receiveDump(c.query, c.answers, func(data []byte, by time.Time) {
			server, peer, ok := addresses(data)
			if s, err := decode(data); ok && err == nil && server == withoutZone(c.server) {
				each(peer, s, by)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutZone is the address as the kernel tells it.
func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// addresses reads the two ends of a connection out of a struct inet_diag_msg,
// the server's first.
func addresses(b []byte) (server, peer netip.AddrPort, ok bool) {
	if len(b) < answerSize {
		return server, peer, false
	}
	end := func(address, port int) netip.AddrPort {
		ip := netip.AddrFrom16([16]byte(b[address : address+16])).Unmap()
		if b[answerFamily] == inet4 {
			ip = netip.AddrFrom4([4]byte(b[address : address+4]))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[port:]))
	}
	return end(answerSource, answerPorts), end(answerPeer, answerPorts+2), true
}
