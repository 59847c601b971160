// Package sockets tells how long a server's socket lives: held by a process,
// orphaned, left as a TIME_WAIT entry. It asks the kernel of this host through
// NETLINK_SOCK_DIAG (sock_diag(7)), without privilege.
//
// It never looks at the peer's wire, never reads /proc, never alters or destroys
// a socket, and cannot see into another network namespace. A proxy on this host
// that answers in the server's place is what it sees.
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
	familySockDiag = 4        // NETLINK_SOCK_DIAG
	destroyTCP4    = 1        // SKNLGRP_INET_TCP_DESTROY
	destroyTCP6    = 3        // SKNLGRP_INET6_TCP_DESTROY
	eventBuffer    = 32 << 20 // bytes of receive buffer, as far as the system allows, for bursts of destroy events
	messageSize    = 64 << 10 // bytes; a dump fills what it is given

	pollFloor  = time.Millisecond      // shortest pause between two rounds of queries
	pollShare  = 50 * time.Microsecond // a round of N queries, each below 10 us, takes N*pollShare
	watchMarks = 10 * time.Millisecond // pause between two rounds of marks
	orphanTurn = 8                     // a released socket, whose end an event tells, is asked for in every eighth round
)

// Observer watches sockets of this host. Its methods may be called at the same time.
type Observer struct {
	events  *netlink.Conn
	marks   *marks
	wake    chan struct{} // the first watch became pending
	done    chan struct{}
	closing sync.Once
	loops   sync.WaitGroup

	// mu also covers each query: a destroy event cannot be handled between the
	// answer that tells a cookie and its entry in byCookie.
	mu       sync.Mutex
	query    *netlink.Conn
	pending  []*Watch
	byCookie map[uint64]*Watch
	deaf     bool // destroy events ended for good
}

// Open subscribes to the kernel's destroy events; call it before dialing what is
// to be watched. The error wraps [errors.ErrUnsupported] off Linux and where
// sock_diag is refused.
func Open() (*Observer, error) {
	o := &Observer{wake: make(chan struct{}, 1), done: make(chan struct{}), byCookie: map[uint64]*Watch{}, marks: newMarks()}
	if err := o.connect(); err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("observe sockets of this host by sock_diag: %w: %w", errors.ErrUnsupported, err)
	}
	o.loops.Go(func() { o.marks.run(watchMarks, o.done) })
	o.loops.Go(o.poll)
	o.loops.Go(o.listen)
	return o, nil
}

func (o *Observer) connect() (err error) {
	config := &netlink.Config{MessageBufferSize: messageSize}
	if o.query, err = netlink.Dial(familySockDiag, config); err != nil {
		return err
	}
	// A dump of no state is empty, and fails where the kernel has no tcp_diag:
	// an exact query could not tell that from "no such socket".
	if _, err = o.query.Execute(request(dump, emptyRequest())); err != nil {
		return err
	}
	if o.events, err = netlink.Dial(familySockDiag, config); err != nil {
		return err
	}
	_ = tellCPU(o.events) // without it bounds are wider
	return errors.Join(o.events.SetReadBuffer(eventBuffer), o.events.JoinGroup(destroyTCP4), o.events.JoinGroup(destroyTCP6))
}

// Close ends every watch as it stands and returns once nothing runs any more.
// A second Close does nothing.
func (o *Observer) Close() (err error) {
	o.closing.Do(func() {
		close(o.done)
		for _, c := range []*netlink.Conn{o.events, o.query} {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
		o.loops.Wait()
	})
	return err
}

// Find asks the kernel once (some microseconds) for the server's end of a
// connection, the socket bound to server and connected to peer. It reports false
// where this host has none: the server runs elsewhere, or the socket is gone.
// IPv4-mapped addresses and plain ones are the same connection; link-local addresses
// have their zone.
func (o *Observer) Find(server, peer netip.AddrPort) (Socket, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, found, err := o.ask(exactRequest(server, peer))
	return s, found && !s.mini, err
}

// Watch begins to follow the server's end of a connection whose handshake is
// complete; that a process has not accepted it yet is fine. It asks the kernel
// once and does not wait. One connection has one watch at a time.
func (o *Observer) Watch(server, peer netip.AddrPort) *Watch {
	w := newWatch(o, exactRequest(server, peer))
	o.mu.Lock()
	defer o.mu.Unlock()
	w.life.Lost = o.deaf
	o.look(w)
	o.pending = append(o.pending, w)
	if len(o.pending) == 1 {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	return w
}

// poll asks for the watched sockets in rounds, and rests while there are none.
func (o *Observer) poll() {
	for turn := 0; ; turn++ {
		start := time.Now()
		var next <-chan time.Time
		if looked, more := o.round(turn); more {
			next = time.After(max(pollFloor, time.Duration(looked)*pollShare-time.Since(start)))
		}
		select {
		case <-next:
		case <-o.wake:
		case <-o.done:
			return
		}
	}
}

// round looks at every socket that is not accepted yet, or urgent and not
// released yet; at the others in each orphanTurn only. It returns how many it asked for, and whether any is left for the next.
func (o *Observer) round(turn int) (looked int, more bool) {
	o.mu.Lock()
	o.pending = slices.DeleteFunc(o.pending, func(w *Watch) bool { return w.over })
	watches := slices.Clone(o.pending)
	o.mu.Unlock()
	for _, w := range watches {
		o.mu.Lock()
		if !w.over && (w.close() || turn%orphanTurn == 0) {
			o.look(w)
			looked++
		}
		o.mu.Unlock()
	}
	return looked, len(watches) > 0
}

// look takes one exact query into the watch; o.mu is held. A query that fails is
// made again in a later round.
func (o *Observer) look(w *Watch) {
	asked := time.Now()
	s, found, err := o.ask(w.request)
	if err != nil {
		return
	}
	w.see(s, found, asked, time.Now())
	w.over = w.ended() && s.State != finWait2 // that entry still turns into TIME_WAIT, or goes
}

// ask makes one exact query; o.mu is held. Where the connection is gone the
// kernel answers with the socket that listens on its port: not found.
func (o *Observer) ask(body []byte) (Socket, bool, error) {
	answers, err := o.query.Execute(request(exact, body))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Socket{}, false, nil
	case err != nil:
		return Socket{}, false, fmt.Errorf("ask sock_diag for a connection: %w", err)
	case len(answers) == 0:
		return Socket{}, false, errors.New("ask sock_diag for a connection: no answer")
	}
	s, err := decode(answers[0].Data)
	return s, err == nil && s.State != listen, err
}

// listen hands each destroy event to the watch that has its cookie.
func (o *Observer) listen() {
	prefer()
	b := make([]byte, messageSize)
	for {
		gone := map[uint64]time.Time{}
		lost, err := o.marks.receive(o.events, b, func(cookie uint64, _, to time.Time) { gone[cookie] = to })
		select {
		case <-o.done: // Close has interrupted it
			return
		default:
		}
		o.mu.Lock()
		for cookie, at := range gone {
			if w := o.byCookie[cookie]; w != nil {
				w.free(at)
				o.look(w) // is a TIME_WAIT entry left?
			}
		}
		if lost || err != nil {
			o.deaf = err != nil
			for _, w := range o.pending {
				w.life.Lost = w.life.Lost || !w.over
			}
		}
		deaf := o.deaf
		o.mu.Unlock()
		if deaf {
			return
		}
	}
}
