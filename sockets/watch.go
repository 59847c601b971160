package sockets

import (
	"slices"
	"time"
)

// Lifetime is what an observer has seen of one server socket so far. Each time is the
// moment at which finwait saw a change; the change itself happened in [time-bound, time].
// The bound reaches back to the last proof that the change had not happened yet: N sockets
// are queried every max(1 ms, N*50 us), and orphans in every eighth round.
type Lifetime struct {
	// Accepted is when a process was first seen to hold the socket, or to have closed it
	// between two queries; zero: neither was seen.
	Accepted time.Time

	// Released is when the last process closed its descriptor; zero: a process holds the
	// socket, or it waits to be accepted. A RST takes the socket out of the kernel's table
	// while the process still holds it, and so is no release.
	Released      time.Time
	ReleasedBound time.Duration

	// Freed is when the kernel freed the full socket; zero: the socket still exists.
	Freed      time.Time
	FreedBound time.Duration

	// TimeWait is true once the kernel has put a TIME_WAIT entry in the socket's place.
	// That may come after Freed, with the peer's FIN.
	TimeWait bool

	// State is the last state of the full socket, such as "ESTABLISHED" or "CLOSE_WAIT".
	// It is "CLOSE" once the socket is out of the kernel's table and not freed, and "" if
	// the socket was never seen.
	State       string
	Transitions []Transition // the first 32 changes
	Failed      error        // why the socket is not seen, or not any more; nil unless a [Remote] tells the lifetime
	Lost        bool         // the kernel dropped destroy events (ENOBUFS): Released or Freed may be missing
}

// Transition is one change of a socket's state.
type Transition struct {
	At    time.Time // when finwait saw it
	State string
	Held  bool // a process held the socket
	Mini  bool // the full socket is gone, and State is that of the entry in its place: TIME_WAIT or FIN_WAIT2
}

const (
	maxTransitions = 32
	eventLag       = 25 * time.Millisecond // an event is read within this time, unless the marks show that it waits
)

// Watch follows one socket until it is freed, stopped, or the observer closes.
type Watch struct {
	o                         *Observer
	accepted, released, freed chan struct{}

	// o.mu guards the fields below.
	finished        bool // the socket is not queried any more
	found           bool // a query has found the connection
	urgent          bool // the end of the socket is expected, see Urgent
	noted           bool // it is among the pending changes of a stream
	lifetime        Lifetime
	request         []byte    // the exact query: by addresses, and by the cookie once it is known
	cookie          uint64    // 0: not known yet
	lastHeld        time.Time // the last moment at which the socket was certainly not released
	lastAlive       time.Time // the last moment at which the socket was certainly not freed
	outOfTableSince time.Time // when a query first did not find the full socket; zero: every query did
	miniState       string    // state of the entry in the socket's place, TIME_WAIT or FIN_WAIT2; empty: none was seen
}

func newWatch(o *Observer, request []byte) *Watch {
	now := time.Now()
	return &Watch{
		o: o, request: request, lastHeld: now, lastAlive: now,
		accepted: make(chan struct{}), released: make(chan struct{}), freed: make(chan struct{}),
	}
}

// Found reports whether a query has found the connection in this kernel, also where its handshake
// was not complete yet.
func (w *Watch) Found() bool {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	return w.found
}

// Accepted returns a channel that is closed once a process was seen to hold the socket, or
// to have closed it.
func (w *Watch) Accepted() <-chan struct{} { return w.accepted }

// Released returns a channel that is closed once no process holds the socket any more.
func (w *Watch) Released() <-chan struct{} { return w.released }

// Freed returns a channel that is closed once the kernel has freed the full socket, never
// before that of Released.
func (w *Watch) Freed() <-chan struct{} { return w.freed }

// Lifetime returns a copy of what was seen so far. It does not query the kernel.
func (w *Watch) Lifetime() Lifetime {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	l := w.lifetime
	l.Transitions = slices.Clone(l.Transitions)
	return l
}

// Urgent says that the end of the socket is expected from now on, so that it is queried in
// every round. Until then an accepted socket is queried in every eighth round.
func (w *Watch) Urgent() {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.urgent = true
}

// Look queries a socket that is not released once more. If the socket is out of the kernel's
// table, its destroy event may be under way: Look waits for it, 25 ms at most.
func (w *Watch) Look() {
	w.o.mu.Lock()
	if !w.finished && w.lifetime.Released.IsZero() {
		w.o.update(w)
	}
	mayBeFreed := !w.finished && w.lifetime.Released.IsZero() && !w.outOfTableSince.IsZero()
	w.o.mu.Unlock()
	if !mayBeFreed {
		return
	}
	timer := time.NewTimer(eventLag)
	defer timer.Stop()
	select {
	case <-w.released:
	case <-timer.C:
	}
}

// needsEveryRound tells whether every round of queries must include the socket.
func (w *Watch) needsEveryRound() bool {
	return w.lifetime.Released.IsZero() && (w.urgent || w.lifetime.Accepted.IsZero())
}

// Stop ends the watch: Lifetime keeps what was seen, and no channel is closed any more.
func (w *Watch) Stop() {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	delete(w.o.byCookie, w.cookie)
	w.finished = true
}

// apply takes over one answer to the exact query, which was sent at asked and answered at
// answered.
func (w *Watch) apply(s Socket, found bool, asked, answered time.Time) {
	w.found = w.found || found
	switch {
	case found && !s.mini:
		w.applyFull(s, asked, answered)
	case w.cookie == 0: // the socket does not exist yet, or the entry is of an earlier connection
	default:
		if found {
			w.lifetime.TimeWait = w.lifetime.TimeWait || s.State == timeWait
			if w.miniState != s.State { // the full socket may exist too: in CLOSE, and held by the process
				w.miniState = s.State
				w.recordTransition(Transition{At: answered, State: s.State, Mini: true})
			}
			if s.State == finWait2 && w.lifetime.Released.IsZero() { // the kernel puts it in the place of orphans only
				w.recordAccepted(answered)
				w.recordReleased(answered)
			}
		}
		w.applyOutOfTable(asked, answered)
	}
}

// applyFull takes over an answer that describes the full socket.
func (w *Watch) applyFull(s Socket, asked, answered time.Time) {
	if s.State == synReceived { // a request socket: the handshake's ACK is on its way
		return
	}
	if w.cookie == 0 {
		w.cookie = s.Cookie
		w.o.byCookie[s.Cookie] = w
		setCookie(w.request, s.Cookie)
	}
	l, held := &w.lifetime, s.Inode != 0
	if held || closedByProcess(s.State) {
		w.recordAccepted(answered)
	}
	w.lastAlive = asked
	l.State = s.State
	w.recordTransition(Transition{At: answered, State: s.State, Held: held})
	switch {
	case held || l.Accepted.IsZero():
		w.lastHeld = asked
	case l.Released.IsZero():
		w.recordReleased(answered)
	}
}

// closedByProcess tells whether only close(2) or shutdown(2) on this side leads to the
// state. A process then had accepted the socket, even if no query saw that.
func closedByProcess(state string) bool {
	return state == finWait1 || state == finWait2 || state == closing || state == lastAck
}

// applyOutOfTable takes over that the full socket is out of the kernel's table. An orphan
// has ended then. A socket that a process held may live on (after a RST, or a FIN in
// FIN_WAIT2), or its destroy event is under way: it counts as alive until eventLag ago, or
// until the moment up to which all events have been reported, if that is earlier.
func (w *Watch) applyOutOfTable(asked, answered time.Time) {
	if w.outOfTableSince.IsZero() {
		w.outOfTableSince = asked
	}
	alive := asked.Add(-eventLag)
	if until := w.o.marks.allReportedUntil(); !until.IsZero() && until.Before(alive) { // zero: there are no marks
		alive = until
	}
	switch {
	case w.freedAlready():
	case !w.lifetime.Released.IsZero():
		w.recordFreed(answered)
	case alive.After(w.outOfTableSince):
		w.lastHeld, w.lastAlive = alive, alive
		if w.lifetime.State != closed {
			w.lifetime.State = closed
			w.recordTransition(Transition{At: w.outOfTableSince, State: closed, Held: !w.lifetime.Accepted.IsZero()})
		}
	}
}

func (w *Watch) recordAccepted(at time.Time) {
	if w.lifetime.Accepted.IsZero() {
		w.lifetime.Accepted = at
		close(w.accepted)
		w.o.changes.note(w)
	}
}

func (w *Watch) recordReleased(at time.Time) {
	w.lifetime.Released, w.lifetime.ReleasedBound = at, at.Sub(w.lastHeld)
	close(w.released)
	w.o.changes.note(w)
}

// recordFreed notes that the kernel has freed the full socket, and with it the release of a
// socket that was held until then.
func (w *Watch) recordFreed(at time.Time) {
	if w.freedAlready() {
		return
	}
	if at.Before(w.lastAlive) {
		at = w.lastAlive
	}
	if w.lifetime.Released.IsZero() {
		w.recordReleased(at)
	} else if at.Before(w.lifetime.Released) { // the event waited while a query showed the release
		at = w.lifetime.Released
	}
	w.lifetime.Freed, w.lifetime.FreedBound = at, at.Sub(w.lastAlive)
	delete(w.o.byCookie, w.cookie)
	close(w.freed)
	w.o.changes.note(w)
}

func (w *Watch) freedAlready() bool { return !w.lifetime.Freed.IsZero() }

// recordTransition keeps a transition unless it repeats the last one, maxTransitions at most.
func (w *Watch) recordTransition(t Transition) {
	ts := w.lifetime.Transitions
	if n := len(ts); n < maxTransitions && (n == 0 || ts[n-1] != Transition{ts[n-1].At, t.State, t.Held, t.Mini}) {
		w.lifetime.Transitions = append(ts, t)
		w.o.changes.note(w)
	}
}
