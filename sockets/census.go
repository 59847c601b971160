package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	minDumpPause    = 5 * time.Millisecond // shortest pause between two dumps; else as long as one took
	censusMarkPause = 2 * time.Millisecond // pause between two rounds of marks

	// Offsets in struct inet_diag_msg (linux/inet_diag.h).
	answerFamily = 0
	answerPorts  = 4
	answerSource = 8
	answerPeer   = 24

	// Offsets in struct inet_diag_req_v2 (linux/inet_diag.h).
	requestFamily = 0
	requestStates = 4

	// orphanStates are the states in which an orphan waits for its peer: FIN_WAIT1,
	// LAST_ACK and CLOSING (include/net/tcp_states.h).
	orphanStates = 1<<4 | 1<<9 | 1<<11
	// finWait2State is dumped in one of finWait2Every dumps only. An orphan in FIN_WAIT2
	// is rare: the kernel replaces it by a TIME_WAIT entry at once, and every dump of this
	// state lists those entries too. The orphan remains where the ACK of its FIN came
	// while close(2) was under way (tcp_rcv_state_process in net/ipv4/tcp_input.c), or
	// where tcp_fin_timeout is over 60 s (tcp(7)).
	finWait2State = 1 << 5
	finWait2Every = 16
	// connectionStates are all states but TIME_WAIT and LISTEN.
	connectionStates = 1<<12 - 1 - 1<<6 - 1<<10
)

// Departure says that the server's process no longer holds a socket.
type Departure struct {
	Peer  netip.AddrPort // address of the peer's end, without a zone
	At    time.Time      // when the census saw it
	Bound time.Duration  // the departure happened in [At-Bound, At]
	Freed bool           // true: the kernel has freed the socket; false: it is an orphan
}

// Census follows all connections of one server at once. It scales to thousands: a
// destroy event reports each socket that the kernel frees, and a dump of the few states
// that orphans have finds all orphans, so that no socket needs a query of its own.
type Census struct {
	namespace   namespace
	server      netip.AddrPort
	onDeparture func(Departure)
	onFailure   func() // is called when the census ends by itself
	events      *netlink.Conn
	exactQuery  *netlink.Conn // queries for one socket at a time
	marks       *marks
	began       time.Time
	done        chan struct{} // closed by Close
	loops       sync.WaitGroup

	dumping    sync.Mutex // guards dumpQuery and dumpBuffer
	dumpQuery  *netlink.Conn
	dumpBuffer []byte // holds one datagram

	mu sync.Mutex // guards the fields below

	// stillHeld has each peer whose socket the kernel has not freed. The value is true
	// while the server's process holds the socket, false when it is an orphan.
	stillHeld map[netip.AddrPort]bool
	// families are the address families of the server's sockets. An IPv6 socket can have
	// IPv4 connections as well.
	families map[byte]bool
	// peerByCookie finds the peer of a destroy event. A socket that was reset has lost
	// its addresses (tcp_disconnect in net/ipv4/tcp.c).
	peerByCookie map[uint64]netip.AddrPort

	dumps             []dumpSpan // the last dumps, the oldest first; never empty
	finWait2DumpBegan time.Time  // when the last dump that included FIN_WAIT2 began

	eventsLost    bool      // destroy events may be missing since the last dump of all sockets
	allExistedAt  time.Time // every socket in stillHeld existed at that moment; valid while eventsLost
	lastEventLoss time.Time // the last moment at which events may have been lost

	err      error     // why the census ended by itself; nil: it did not
	failedAt time.Time // when the census ended by itself
}

// dumpSpan says when a complete dump began and ended.
type dumpSpan struct{ began, ended time.Time }

const dumpsKept = 1000 // at most so many dumpSpans are remembered

// TakeCensus begins to follow the connections to server that [Census.Add] names, in the network
// namespace of a process of this host; 0: of this process.
//
// It calls onDeparture for each departure, from one goroutine at a time. For an orphan
// it does so twice: when the process has closed the socket, and when the kernel has
// freed it. It calls onFailure once if the census ends by itself; no departure follows
// then, and [Census.Failed] says why. onDeparture must not call a method of the census.
// The error is that of [OpenAt].
func TakeCensus(
	pid int, server netip.AddrPort, onDeparture func(Departure), onFailure func(),
) (*Census, error) {
	n, err := namespaceOf(pid)
	if err != nil {
		return nil, err
	}
	c, err := takeCensus(n, server, onDeparture, onFailure)
	if errors.Is(err, fs.ErrPermission) && n.file != nil {
		return nil, lackOfRight(pid, fs.ErrPermission)
	}
	return c, err
}

func takeCensus(
	n namespace, server netip.AddrPort, onDeparture func(Departure), onFailure func(),
) (*Census, error) {
	o := Observer{namespace: n, done: make(chan struct{}), marks: newMarks()}
	err := o.connect()
	var exact *netlink.Conn
	if err == nil {
		exact, err = netlink.Dial(familySockDiag, n.config())
	}
	if err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("observe sockets of this host by sock_diag: %w: %w", errors.ErrUnsupported, err)
	}
	o.marks.namespace = n
	now := time.Now()
	c := &Census{
		namespace:   n,
		server:      netip.AddrPortFrom(server.Addr().Unmap(), server.Port()),
		onDeparture: onDeparture, onFailure: onFailure,
		events: o.events, exactQuery: exact, marks: o.marks,
		began: now, done: make(chan struct{}),
		dumpQuery: o.query, dumpBuffer: make([]byte, messageSize),
		stillHeld: map[netip.AddrPort]bool{}, families: map[byte]bool{}, peerByCookie: map[uint64]netip.AddrPort{},
		dumps: []dumpSpan{{now, now}}, finWait2DumpBegan: now,
	}
	c.loops.Go(func() { c.marks.run(censusMarkPause, c.done) })
	c.loops.Go(c.listen)
	c.loops.Go(c.dumpUntilClosed)
	return c, nil
}

// Add begins to follow one connection, given the address of the peer's end. The
// handshake must be complete. Add queries the kernel once, which takes microseconds.
func (c *Census) Add(peer netip.AddrPort) {
	peer = withoutZone(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()))
	answers, err := c.exactQuery.Execute(request(exact, exactRequest(c.server, peer)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stillHeld[peer] = true
	if err == nil && len(answers) > 0 {
		if s, err := decode(answers[0].Data); err == nil && s.State != listen {
			c.peerByCookie[s.Cookie] = peer
			c.families[answers[0].Data[answerFamily]] = true
			return
		}
	}
	c.noteEventLoss() // the next dump of all sockets shows whether the socket is gone
}

// Close ends the census and returns when its goroutines have ended. No departure is
// reported afterwards.
func (c *Census) Close() error {
	close(c.done)
	err := errors.Join(c.events.Close(), c.dumpQuery.Close(), c.exactQuery.Close())
	c.loops.Wait()
	c.namespace.close()
	return err
}

// report passes on a departure, unless it was reported before or is of a connection that
// Add did not name. c.mu is held.
func (c *Census) report(d Departure) {
	held, known := c.stillHeld[d.Peer]
	switch {
	case !known, !held && !d.Freed:
		return
	case d.Freed:
		delete(c.stillHeld, d.Peer)
	default:
		c.stillHeld[d.Peer] = false
	}
	c.onDeparture(d)
}

// listen reports the sockets that the kernel's destroy events name, until Close or an error.
func (c *Census) listen() {
	raisePriority()
	b := make([]byte, messageSize)
	type event struct {
		cookie   uint64
		from, to time.Time
	}
	for {
		var gone []event
		lost, err := c.marks.receiveDated(c.events, b, func(cookie uint64, from, to time.Time) {
			gone = append(gone, event{cookie, from, to})
		})
		select {
		case <-c.done:
			return
		default:
		}
		c.mu.Lock()
		for _, e := range gone {
			if peer, known := c.peerByCookie[e.cookie]; known {
				delete(c.peerByCookie, e.cookie)
				c.report(Departure{Peer: peer, At: e.to, Bound: e.to.Sub(c.lastHeldBefore(e.from)), Freed: true})
			}
		}
		if lost {
			c.noteEventLoss()
		}
		c.mu.Unlock()
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// noteEventLoss notes that events may have been lost until now, so that the next dump is
// of all sockets. c.mu is held.
func (c *Census) noteEventLoss() {
	c.lastEventLoss = time.Now()
	if !c.eventsLost {
		c.eventsLost, c.allExistedAt = true, c.lastHeldBefore(c.marks.allReportedUntil())
	}
}

// lastHeldBefore returns a moment at which the process still held a socket that existed
// at the given time and that was not reported as an orphan: the last dump that had ended
// by then would have listed it as one. c.mu is held.
func (c *Census) lastHeldBefore(existed time.Time) time.Time {
	for _, dump := range slices.Backward(c.dumps) {
		if !dump.ended.After(existed) {
			return dump.began
		}
	}
	return c.began
}

// fail notes why the census has ended, and calls onFailure the first time.
func (c *Census) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.failedAt, c.err = time.Now(), err
	}
	c.mu.Unlock()
	if first {
		c.onFailure()
	}
}

// Failed returns why the census ended by itself, and since when departures may be
// missing. A nil error means that it is still running or was ended by Close.
func (c *Census) Failed() (since time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failedAt, c.err
}
