package sockets

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	maxVisitsPerSecond = 1000        // a visit makes one mark on one CPU
	busyAfterEvent     = time.Second // a CPU counts as busy for so long after it reported a socket
)

// marks date the kernel's destroy events. An event waits in a queue of the CPU on which the
// socket was freed (sock_diag_broadcast_destroy in net/core/sock_diag.c): mostly for less
// than 1 ms, but for seconds on a CPU that is fully loaded. Therefore finwait closes sockets
// of its own, the marks, on each CPU again and again. An event that a CPU reports between
// two marks happened between the closings of these marks. A kernel worker that sleeps lets
// the next one begin, so that an event may overtake its neighbour: that is why the bounds
// are one mark wider on each side.
type marks struct {
	namespace namespace // where the marks are made: the kernel reports a socket in its own namespace only

	mu      sync.Mutex
	cpus    map[int]*queue // by CPU; each CPU that was visited
	overrun bool           // events were lost, and the receive queue has not been empty since
}

// queue is what is known of the event queue of one CPU.
type queue struct {
	pending             []*mark   // marks whose event has not come yet, the oldest first
	lastClosedAfter     time.Time // the last mark that was reported was closed after this moment
	previousClosedAfter time.Time // the mark that was reported before that one was closed after this moment
	lastForeignEvent    time.Time // when the CPU last reported a socket that is not a mark
}

// mark is a socket of finwait's own, which is closed in [from, to].
type mark struct {
	cookie   uint64
	from, to time.Time // to is zero while the socket is being closed
}

func newMarks() *marks { return &marks{cpus: map[int]*queue{}} }

// receiveDated waits for destroy events, and calls event for each that is there and is not
// of a mark; the socket was freed in [from, to]. b holds one datagram. lost says that events
// may have been lost until now: the kernel reports an overrun once, until its queue was
// empty (netlink_overrun in net/netlink/af_netlink.c), as it is when all events are read.
func (m *marks) receiveDated(
	c *netlink.Conn, b []byte, event func(cookie uint64, from, to time.Time),
) (lost bool, err error) {
	err = receive(c, b, func(data []byte, cpu int) {
		s, malformed := decode(data)
		from, to, own := m.date(cpu, s.Cookie)
		if m.overrun { // marks may be missing
			to = time.Now()
		}
		if malformed == nil && !own {
			event(s.Cookie, from, to)
		}
	})
	overrun := errors.Is(err, syscall.ENOBUFS)
	if lost = overrun || m.overrun; lost {
		m.dropPending()
	}
	if m.overrun = overrun; overrun {
		err = nil
	}
	return lost, err
}

// add makes a mark on the CPU; closeSocket closes its socket.
func (m *marks) add(cpu int, cookie uint64, closeSocket func()) {
	own := &mark{cookie: cookie}
	m.mu.Lock()
	q := m.cpus[cpu]
	if q == nil {
		q = &queue{}
		m.cpus[cpu] = q
	}
	q.pending = append(q.pending, own)
	own.from = time.Now()
	m.mu.Unlock()
	closeSocket()
	m.mu.Lock()
	own.to = time.Now()
	m.mu.Unlock()
}

// date returns the moments between which the socket was freed that the CPU has reported
// just now; cpu is -1 if it is not known. from is zero if no mark bounds it. own says that
// the event is of a mark, which is then no longer pending.
func (m *marks) date(cpu int, cookie uint64) (from, to time.Time, own bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		if i := slices.IndexFunc(q.pending, func(w *mark) bool { return w.cookie == cookie }); i >= 0 {
			q.previousClosedAfter, q.lastClosedAfter, q.pending = q.lastClosedAfter, q.pending[i].from, q.pending[i+1:]
			return from, to, true
		}
	}
	now := time.Now()
	for id, q := range m.cpus {
		if id != cpu && cpu >= 0 {
			continue
		}
		q.lastForeignEvent = now
		if from.IsZero() || q.previousClosedAfter.Before(from) {
			from = q.previousClosedAfter
		}
		if by := q.happenedBy(now); by.After(to) {
			to = by
		}
	}
	if to.IsZero() { // no mark was made on that CPU
		to = now
	}
	return from, to, false
}

// busy tells whether the CPU has reported a socket that is not a mark within busyAfterEvent.
func (m *marks) busy(cpu int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.cpus[cpu]
	return q != nil && time.Since(q.lastForeignEvent) < busyAfterEvent
}

// visitPlan chooses the CPUs that are visited in each round. A visit costs about 50 us, so
// the number of visits is bounded, however many CPUs the host has.
type visitPlan struct {
	cpus       []int
	perRound   int // visits in a round, at most
	nextOfAll  int // index of the CPU that is next, when all take turns
	nextOfBusy int // index from which the next busy CPU is sought
}

// cpusOfRound gives half of the visits to busy CPUs, and the others to all CPUs in turn.
func (p *visitPlan) cpusOfRound(busy func(cpu int) bool) []int {
	if len(p.cpus) <= p.perRound {
		return p.cpus
	}
	out := make([]int, 0, p.perRound)
	add := func(next *int, most int, wanted func(cpu int) bool) {
		for i := 0; i < len(p.cpus) && len(out) < most; i++ {
			cpu := p.cpus[*next%len(p.cpus)]
			if *next++; wanted(cpu) && !slices.Contains(out, cpu) {
				out = append(out, cpu)
			}
		}
	}
	add(&p.nextOfBusy, (p.perRound+1)/2, busy)
	add(&p.nextOfAll, p.perRound, func(int) bool { return true })
	return out
}

// happenedBy returns a moment by which the event that came just now had happened: when the
// second pending mark had been closed, or now, if there is no such mark.
func (q *queue) happenedBy(now time.Time) time.Time {
	if len(q.pending) < 2 || q.pending[1].to.IsZero() {
		return now
	}
	return q.pending[1].to
}

// allReportedUntil returns the moment up to which every CPU has reported all its events;
// zero: it is not known.
func (m *marks) allReportedUntil() (at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		if at.IsZero() || q.previousClosedAfter.Before(at) {
			at = q.previousClosedAfter
		}
	}
	return at
}

// dropPending forgets the pending marks, because their events may have been lost.
func (m *marks) dropPending() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		q.pending = nil
	}
}
