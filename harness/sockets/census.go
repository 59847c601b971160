package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	censusFloor = 5 * time.Millisecond // shortest pause between two dumps
	censusShare = 5                    // a dump is followed by a pause of so many times as long as it took

	answerFamily = 0 // struct inet_diag_msg
	answerPorts  = 4
	answerSource = 8
	answerPeer   = 24

	requestFamily = 0 // struct inet_diag_req_v2
	requestStates = 4

	// States in which an orphan waits for its peer (include/net/tcp_states.h).
	// One in FIN_WAIT2 is freed at once, and a TIME_WAIT entry takes its place,
	// where tcp_fin_timeout is 60 s or less (tcp(7)).
	orphanStates = 1<<4 | 1<<9 | 1<<11 // FIN_WAIT1, LAST_ACK, CLOSING
	allStates    = 1<<12 - 1 - 1<<6 - 1<<10
)

// Departure is a socket of the server that a process let go of.
type Departure struct {
	Peer  netip.AddrPort
	At    time.Time
	Bound time.Duration // it happened at most so long before At
	Freed bool          // the kernel has freed it too; else it is an orphan
}

// Census follows all connections of one server at once, however many: what the
// kernel frees an event tells, and orphans are seen by dumps of the few states
// in which they are, not by a query for each.
type Census struct {
	server netip.AddrPort
	left   func(Departure)
	events *netlink.Conn
	query  *netlink.Conn
	done   chan struct{}
	loops  sync.WaitGroup

	mu     sync.Mutex
	peers  map[netip.AddrPort]bool // whose sockets are held by the server's process
	looked time.Time               // when the last dump for orphans began
	before time.Time               // and the one before it
}

// TakeCensus begins to follow the connections to server that [Census.Add]
// names. left is told of each departure, from one goroutine at a time: of an
// orphan first that, and later that it was freed. The error is that of [Open].
func TakeCensus(server netip.AddrPort, left func(Departure)) (*Census, error) {
	var o Observer
	if err := o.connect(); err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("observe sockets of this host by sock_diag: %w: %w", errors.ErrUnsupported, err)
	}
	c := &Census{
		server: netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), left: left, looked: time.Now(), before: time.Now(),
		events: o.events, query: o.query, done: make(chan struct{}), peers: map[netip.AddrPort]bool{},
	}
	c.loops.Go(c.listen)
	c.loops.Go(c.dumps)
	return c, nil
}

// Add names a connection: the address of the peer's end.
func (c *Census) Add(peer netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers[netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())] = true
}

// Close ends the census; nothing is told afterwards.
func (c *Census) Close() error {
	close(c.done)
	err := errors.Join(c.events.Close(), c.query.Close())
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

// listen takes the kernel's destroy events. Where some were lost, a dump of all
// states tells who is missing.
func (c *Census) listen() {
	for {
		asked := time.Now()
		messages, err := c.events.Receive()
		at := time.Now()
		select {
		case <-c.done:
			return
		default:
		}
		c.mu.Lock()
		for _, m := range messages {
			// It was no orphan in the dump before last; the last one may have begun
			// when the event was already there.
			if server, peer, ok := addresses(m.Data); ok && server == c.server {
				c.tell(Departure{Peer: peer, At: at, Bound: at.Sub(c.before), Freed: true})
			}
		}
		if errors.Is(err, syscall.ENOBUFS) {
			err = c.recount(asked)
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// recount tells of all that are not there any more, and were there at since;
// c.mu is held.
func (c *Census) recount(since time.Time) error {
	here := map[netip.AddrPort]bool{}
	if err := c.dump(allStates, func(peer netip.AddrPort, _ Socket) { here[peer] = true }); err != nil {
		return err
	}
	at := time.Now()
	for peer := range c.peers {
		if !here[peer] {
			c.tell(Departure{Peer: peer, At: at, Bound: at.Sub(since), Freed: true})
		}
	}
	return nil
}

// dumps looks for orphans, again and again: the kernel has no event for them.
func (c *Census) dumps() {
	for {
		start := time.Now()
		c.mu.Lock()
		err := c.dump(orphanStates, func(peer netip.AddrPort, s Socket) {
			if s.Inode == 0 {
				now := time.Now()
				c.tell(Departure{Peer: peer, At: now, Bound: now.Sub(c.looked)})
			}
		})
		c.before, c.looked = c.looked, start
		c.mu.Unlock()
		if err != nil {
			return
		}
		timer := time.NewTimer(max(censusFloor, censusShare*time.Since(start)))
		select {
		case <-timer.C:
		case <-c.done:
			timer.Stop()
			return
		}
	}
}

// dump asks for all of the server's sockets that are in one of the states.
func (c *Census) dump(states uint32, each func(peer netip.AddrPort, s Socket)) error {
	families := []byte{inet6} // a dual-stack socket has IPv4 connections too
	if c.server.Addr().Is4() {
		families = []byte{inet4, inet6}
	}
	for _, family := range families {
		body := emptyRequest()
		body[requestFamily] = family
		binary.NativeEndian.PutUint32(body[requestStates:], states)
		binary.BigEndian.PutUint16(body[requestPorts:], c.server.Port())
		answers, err := c.query.Execute(request(dump, body))
		if err != nil {
			return err
		}
		for _, m := range answers {
			server, peer, ok := addresses(m.Data)
			if s, err := decode(m.Data); ok && err == nil && server == c.server {
				each(peer, s)
			}
		}
	}
	return nil
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
