// Package sockets measures how long a server's socket lives: held by a process, as an
// orphan, and as a TIME_WAIT entry. It queries the kernel of this host through
// NETLINK_SOCK_DIAG (sock_diag(7)) and needs no privilege.
//
// An [Observer] follows single sockets closely, a [Census] all sockets of one server. They see
// the sockets of this process's network namespace, or, with CAP_SYS_ADMIN, of that of another
// process.
//
// The package does not read the wire, and changes no socket. Where a proxy accepts the
// server's connections, it sees the sockets of the proxy.
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

	minPollPause       = time.Millisecond      // shortest pause between two rounds of queries
	pollPausePerSocket = 50 * time.Microsecond // a round of N queries, each below 10 us, takes N*pollShare
	watchMarkPause     = 10 * time.Millisecond // pause between two rounds of marks
	slowPollEvery      = 8                     // sockets whose end is not imminent are queried in every eighth round
)

// Observer watches sockets of this host. Its methods are safe for concurrent use.
type Observer struct {
	namespace namespace
	events    *netlink.Conn
	marks     *marks
	wake      chan struct{} // receives when there is a watch again after there was none
	done      chan struct{} // closed by Close
	closing   sync.Once
	loops     sync.WaitGroup

	// mu guards the fields below, and is held during each query: a destroy event must not
	// be handled between the answer that has a cookie and its entry in byCookie.
	mu          sync.Mutex
	query       *netlink.Conn
	watches     []*Watch // those that are not finished
	byCookie    map[uint64]*Watch
	eventsEnded bool     // no destroy event comes any more, because reading them failed
	changes     *changes // what a stream has not written yet; nil: there is no stream
}

// Open subscribes to the kernel's destroy events. Call it before you dial the connections
// to be watched. The error wraps [errors.ErrUnsupported] on systems other than Linux, and
// where the kernel refuses sock_diag.
func Open() (*Observer, error) { return OpenAt(0) }

// OpenAt is [Open] in the network namespace of a process of this host, such as a container's; 0:
// of this process. If that is another one than this process's, it needs CAP_SYS_ADMIN (setns(2)), and to open
// the namespace of another user's process CAP_SYS_PTRACE (ptrace(2)). The error is one line: no
// such process is running, or which capability is missing. The zone of a link-local address is
// an interface of this process's namespace, so that such connections are not found elsewhere.
func OpenAt(pid int) (*Observer, error) {
	n, err := namespaceOf(pid)
	if err != nil {
		return nil, err
	}
	o, err := newObserver(n)
	if errors.Is(err, fs.ErrPermission) && n.file != nil {
		return nil, lackOfRight(pid, fs.ErrPermission)
	}
	return o, err
}

// newObserver opens an observer in the namespace, which it closes when it ends.
func newObserver(n namespace) (*Observer, error) {
	o := &Observer{
		namespace: n, marks: newMarks(), wake: make(chan struct{}, 1), done: make(chan struct{}),
		byCookie: map[uint64]*Watch{},
	}
	if err := o.connect(); err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("observe sockets of this host by sock_diag: %w: %w", errors.ErrUnsupported, err)
	}
	o.marks.namespace = n
	o.loops.Go(func() { o.marks.run(watchMarkPause, o.done) })
	o.loops.Go(o.poll)
	o.loops.Go(o.listen)
	return o, nil
}

func (o *Observer) connect() (err error) {
	config := o.namespace.config()
	if o.query, err = netlink.Dial(familySockDiag, config); err != nil {
		return err
	}
	// A dump of no state is empty, and fails if the kernel has no tcp_diag. An exact query
	// would answer "no such socket" in that case.
	if _, err = o.query.Execute(request(dump, emptyRequest())); err != nil {
		return err
	}
	if o.events, err = netlink.Dial(familySockDiag, config); err != nil {
		return err
	}
	_ = attachCPUFilter(o.events) // without the filter the bounds are wider
	return errors.Join(o.events.SetReadBuffer(eventBuffer),
		o.events.JoinGroup(destroyTCP4), o.events.JoinGroup(destroyTCP6))
}

// Close ends every watch, whose Lifetime stays as it is, and returns when the goroutines
// of the observer have ended. A second Close does nothing.
func (o *Observer) Close() (err error) {
	o.closing.Do(func() {
		close(o.done)
		for _, c := range []*netlink.Conn{o.events, o.query} {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
		o.loops.Wait()
		o.namespace.close()
	})
	return err
}

// Find queries the kernel once, which takes microseconds, for the server's end of a
// connection: the socket that is bound to server and connected to peer. It returns false if
// this host has no such socket: the server runs elsewhere, or the socket is gone. IPv4
// addresses may be IPv4-mapped; link-local addresses must have their zone.
func (o *Observer) Find(server, peer netip.AddrPort) (Socket, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, found, err := o.queryExact(exactRequest(server, peer))
	return s, found && !s.mini, err
}

// Watch begins to follow the server's end of a connection whose TCP handshake is complete,
// accepted or not. It queries the kernel once and does not wait. A connection may have one
// watch at a time.
func (o *Observer) Watch(server, peer netip.AddrPort) *Watch {
	w := newWatch(o, exactRequest(server, peer))
	o.mu.Lock()
	defer o.mu.Unlock()
	w.lifetime.Lost = o.eventsEnded
	o.begin(w)
	return w
}

// begin queries a new watch's socket once, and has it queried in the rounds; o.mu is held.
func (o *Observer) begin(w *Watch) {
	o.update(w)
	o.watches = append(o.watches, w)
	if len(o.watches) == 1 {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// poll queries the watched sockets in rounds until Close, and pauses while there are none.
func (o *Observer) poll() {
	for round := 0; ; round++ {
		start := time.Now()
		var next <-chan time.Time
		if queried, more := o.pollRound(round); more {
			next = time.After(max(minPollPause, time.Duration(queried)*pollPausePerSocket-time.Since(start)))
		}
		select {
		case <-next:
		case <-o.wake:
		case <-o.done:
			return
		}
	}
}

// pollRound queries every socket that is not accepted, or urgent and not released; the
// others only in every slowPollEvery-th round. It returns how many it queried, and whether
// the next round has any.
func (o *Observer) pollRound(round int) (queried int, more bool) {
	o.mu.Lock()
	o.watches = slices.DeleteFunc(o.watches, func(w *Watch) bool { return w.finished })
	watches := slices.Clone(o.watches)
	o.mu.Unlock()
	for _, w := range watches {
		o.mu.Lock()
		if !w.finished && (w.needsEveryRound() || round%slowPollEvery == 0) {
			o.update(w)
			queried++
		}
		o.mu.Unlock()
	}
	return queried, len(watches) > 0
}

// update queries the socket of a watch once; o.mu is held. If the query fails, a later
// round repeats it.
func (o *Observer) update(w *Watch) {
	asked := time.Now()
	s, found, err := o.queryExact(w.request)
	if err != nil {
		return
	}
	w.apply(s, found, asked, time.Now())
	w.finished = w.freedAlready() && s.State != finWait2 // an entry in FIN_WAIT2 becomes TIME_WAIT, or ends
	if w.finished {
		o.changes.note(w)
	}
}

// queryExact makes one exact query; o.mu is held. If the connection is gone, the kernel
// answers with the socket that listens on its port, which counts as not found.
func (o *Observer) queryExact(body []byte) (Socket, bool, error) {
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

// listen passes each destroy event on to the watch that has its cookie, until Close or an
// error.
func (o *Observer) listen() {
	raisePriority()
	b := make([]byte, messageSize)
	for {
		gone := map[uint64]time.Time{}
		lost, err := o.marks.receiveDated(o.events, b, func(cookie uint64, _, to time.Time) { gone[cookie] = to })
		select {
		case <-o.done: // Close has interrupted the read
			return
		default:
		}
		o.mu.Lock()
		for cookie, at := range gone {
			if w := o.byCookie[cookie]; w != nil {
				w.recordFreed(at)
				o.update(w) // finds the TIME_WAIT entry, if there is one
			}
		}
		if lost || err != nil {
			o.eventsEnded = err != nil
			for _, w := range o.watches {
				w.lifetime.Lost = w.lifetime.Lost || !w.finished
			}
			o.changes.noteLoss("the kernel dropped socket events")
		}
		deaf := o.eventsEnded
		o.mu.Unlock()
		if deaf {
			return
		}
	}
}
