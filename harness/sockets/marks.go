package sockets

import (
	"slices"
	"sync"
	"time"
)

// marks date the kernel's destroy events. Each waits for its turn in a queue of
// the CPU's on which it happened (sock_diag_broadcast_destroy in
// net/core/sock_diag.c), mostly for less than 1 ms; on CPUs without a moment to
// spare, seconds were seen. So sockets of finwait's own are closed on each CPU,
// again and again: what that CPU tells between two of them happened between their
// closings.
type marks struct {
	mu   sync.Mutex
	cpus map[int]*queue
}

// queue is that of one CPU.
type queue struct {
	waiting []*mark   // not told yet, the oldest first
	told    time.Time // the last one that was told was closed after this
}

// mark is a socket that is closed between two moments.
type mark struct {
	cookie   uint64
	from, to time.Time // to is zero while it is being closed
}

const markFloor = 2 * time.Millisecond // shortest pause between two rounds of marks; else as long as one took

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
// now: from is zero where no mark says so. A mark's own event it takes as such.
func (m *marks) date(cpu int, cookie uint64) (from, to time.Time, own bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to = time.Now()
	q := m.cpus[cpu]
	if q == nil {
		return from, to, false
	}
	if i := slices.IndexFunc(q.waiting, func(w *mark) bool { return w.cookie == cookie }); i >= 0 {
		q.told, q.waiting = q.waiting[i].from, q.waiting[i+1:]
		return from, to, true
	}
	if len(q.waiting) > 0 && !q.waiting[0].to.IsZero() {
		to = q.waiting[0].to
	}
	return q.told, to, false
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
