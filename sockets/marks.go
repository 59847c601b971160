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
	visitsMost = 1000        // of CPUs in a second
	busyFor    = time.Second // since its last event
)

// marks date the kernel's destroy events. Each waits for its turn in a queue of
// the CPU's on which it happened (sock_diag_broadcast_destroy in
// net/core/sock_diag.c), mostly for less than 1 ms; on CPUs without a moment to
// spare, seconds were seen. So sockets of finwait's own are closed on each CPU,
// again and again: what that CPU tells between two of them happened between their
// closings. A worker of the kernel's that sleeps lets the next begin, so that one
// event may overtake another: therefore it is the one before, and the one after.
type marks struct {
	mu      sync.Mutex
	cpus    map[int]*queue // each CPU's that was visited
	overrun bool           // events were lost, and the queue was not empty since
}

// queue is that of one CPU.
type queue struct {
	waiting []*mark   // not told yet, the oldest first
	last    time.Time // the last one that was told was closed after this
	told    time.Time // and the one before it after this
	event   time.Time // when it last told of a socket that is not ours
}

// mark is a socket that is closed between two moments.
type mark struct {
	cookie   uint64
	from, to time.Time // to is zero while it is being closed
}

func newMarks() *marks { return &marks{cpus: map[int]*queue{}} }

// receive waits for events and hands over all that are there, each with the
// moments between which it happened; b holds one. It tells whether some may have
// been lost until now: the kernel tells once, until the queue was empty
// (netlink_overrun in net/netlink/af_netlink.c), and it is when all are taken.
func (m *marks) receive(c *netlink.Conn, b []byte, event func(cookie uint64, from, to time.Time)) (lost bool, err error) {
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
		m.forget()
	}
	if m.overrun = overrun; overrun {
		err = nil
	}
	return lost, err
}

// add makes a mark that close closes.
func (m *marks) add(cpu int, cookie uint64, closes func()) {
	own := &mark{cookie: cookie}
	m.mu.Lock()
	q := m.cpus[cpu]
	if q == nil {
		q = &queue{}
		m.cpus[cpu] = q
	}
	q.waiting = append(q.waiting, own)
	own.from = time.Now()
	m.mu.Unlock()
	closes()
	m.mu.Lock()
	own.to = time.Now()
	m.mu.Unlock()
}

// date tells between which moments the event happened that a CPU has told right
// now, -1 where it is not known which: from is zero where no mark says so. A mark's
// own event it takes as such.
func (m *marks) date(cpu int, cookie uint64) (from, to time.Time, own bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		if i := slices.IndexFunc(q.waiting, func(w *mark) bool { return w.cookie == cookie }); i >= 0 {
			q.told, q.last, q.waiting = q.last, q.waiting[i].from, q.waiting[i+1:]
			return from, to, true
		}
	}
	now := time.Now()
	for its, q := range m.cpus {
		if its != cpu && cpu >= 0 {
			continue
		}
		q.event = now
		if from.IsZero() || q.told.Before(from) {
			from = q.told
		}
		if next := q.next(now); next.After(to) {
			to = next
		}
	}
	if to.IsZero() { // there is no mark on that CPU
		to = now
	}
	return from, to, false
}

// busy tells whether a CPU has told of sockets that are not ours of late.
func (m *marks) busy(cpu int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.cpus[cpu]
	return q != nil && time.Since(q.event) < busyFor
}

// rota says which CPUs are visited in a round. A visit costs some 50 us, so
// that a round has no more of them on a host of many CPUs.
type rota struct {
	cpus      []int
	most      int // visits in a round
	turn      int // of all, whose it is
	busysTurn int // of those that are busy
}

// round gives half of the visits to CPUs that are busy, and the others to all in
// turn.
func (r *rota) round(busy func(cpu int) bool) []int {
	if len(r.cpus) <= r.most {
		return r.cpus
	}
	out := make([]int, 0, r.most)
	add := func(turn *int, until int, wanted func(cpu int) bool) {
		for i := 0; i < len(r.cpus) && len(out) < until; i++ {
			cpu := r.cpus[*turn%len(r.cpus)]
			if *turn++; wanted(cpu) && !slices.Contains(out, cpu) {
				out = append(out, cpu)
			}
		}
	}
	add(&r.busysTurn, (r.most+1)/2, busy)
	add(&r.turn, r.most, func(int) bool { return true })
	return out
}

// next is by when the second mark that was not told yet was closed; now, if none was.
func (q *queue) next(now time.Time) time.Time {
	if len(q.waiting) < 2 || q.waiting[1].to.IsZero() {
		return now
	}
	return q.waiting[1].to
}

// oldest is a moment of which all events have been told, of all CPUs.
func (m *marks) oldest() (at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		if at.IsZero() || q.told.Before(at) {
			at = q.told
		}
	}
	return at
}

// forget gives up the marks under way: their events may have been lost.
func (m *marks) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.cpus {
		q.waiting = nil
	}
}
