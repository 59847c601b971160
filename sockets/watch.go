package sockets

import (
	"slices"
	"time"
)

// Lifetime is what was seen of one socket so far. Times are when finwait saw it;
// what happened lies in [time-bound, time]. A bound is the gap to the last proof of
// the contrary: N sockets are asked for every max(1 ms, N*50 us), orphans every eighth time.
type Lifetime struct {
	Accepted time.Time // first seen in the hands of a process, or closed by one between two looks; zero: neither

	// Released is when the last process let go of the descriptor; zero: still held,
	// or still waiting to be accepted. After a RST the socket leaves the kernel's
	// table and is held all the same: that is not the release.
	Released      time.Time
	ReleasedBound time.Duration

	// Freed is when the kernel freed the full socket; zero: it still exists.
	Freed      time.Time
	FreedBound time.Duration

	// TimeWait: the kernel left a TIME_WAIT entry in its place. It may become true
	// after Freed, once the peer's FIN comes.
	TimeWait bool

	// State is the last state of the full socket: "ESTABLISHED", "CLOSE_WAIT" …;
	// "CLOSE" once it left the kernel's table and was not freed; "" if never seen.
	State       string
	Transitions []Transition // the first 32
	Lost        bool         // the kernel dropped destroy events (ENOBUFS): an end may be missing
}

// Transition is one change, seen at At.
type Transition struct {
	At    time.Time
	State string
	Held  bool // by a process
	Mini  bool // the full socket is gone; this is the entry left in its place, TIME_WAIT or FIN_WAIT2
}

const (
	maxTransitions = 32
	eventLag       = 25 * time.Millisecond // a destroy event is read by then, unless the marks say otherwise
)

// Watch follows one socket until it is freed, stopped, or the observer closes.
type Watch struct {
	o                         *Observer
	accepted, released, freed chan struct{}

	// Guarded by o.mu.
	over    bool // nothing more to see
	urgent  bool
	life    Lifetime
	request []byte    // exact; by cookie too, once it is known
	cookie  uint64    // 0: not known yet
	held    time.Time // last moment known not to be released
	alive   time.Time // last moment known not to be freed
	gone    time.Time // first moment seen out of the kernel's table
	mini    string    // state of the entry that stands for it there now
}

func newWatch(o *Observer, request []byte) *Watch {
	now := time.Now()
	return &Watch{
		o: o, request: request, held: now, alive: now,
		accepted: make(chan struct{}), released: make(chan struct{}), freed: make(chan struct{}),
	}
}

// Accepted is closed once the socket was seen in the hands of a process, or closed
// by one.
func (w *Watch) Accepted() <-chan struct{} { return w.accepted }

// Released is closed once no process holds the descriptor any more.
func (w *Watch) Released() <-chan struct{} { return w.released }

// Freed is closed once the kernel freed the full socket; never before Released.
func (w *Watch) Freed() <-chan struct{} { return w.freed }

// Lifetime is a snapshot that belongs to the caller.
func (w *Watch) Lifetime() Lifetime {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	l := w.life
	l.Transitions = slices.Clone(l.Transitions)
	return l
}

// Urgent says that the socket's end is expected from now on: it is looked at in
// every round. Before, an accepted socket is looked at in every eighth.
func (w *Watch) Urgent() {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.urgent = true
}

// Look asks the kernel for the socket once more, where it is not released. One that has left
// the kernel's table may have been freed: that is waited for, 25 ms at most.
func (w *Watch) Look() {
	w.o.mu.Lock()
	if !w.over && w.life.Released.IsZero() {
		w.o.look(w)
	}
	waits := !w.over && w.life.Released.IsZero() && !w.gone.IsZero()
	w.o.mu.Unlock()
	if !waits {
		return
	}
	timer := time.NewTimer(eventLag)
	defer timer.Stop()
	select {
	case <-w.released:
	case <-timer.C:
	}
}

// close tells whether the socket is to be looked at in every round.
func (w *Watch) close() bool {
	return w.life.Released.IsZero() && (w.urgent || w.life.Accepted.IsZero())
}

// Stop forgets the socket. Lifetime keeps what was seen; the channels close no more.
func (w *Watch) Stop() {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	delete(w.o.byCookie, w.cookie)
	w.over = true
}

// see takes in one answer to the exact query, asked at asked and answered at at.
func (w *Watch) see(s Socket, found bool, asked, at time.Time) {
	switch {
	case found && !s.mini:
		w.seeFull(s, asked, at)
	case w.cookie == 0: // not there yet, or what an earlier connection left
	default:
		if found {
			w.life.TimeWait = w.life.TimeWait || s.State == timeWait
			if w.mini != s.State { // it may stand beside a full socket that is closed, and held
				w.mini = s.State
				w.note(Transition{At: at, State: s.State, Mini: true})
			}
			if s.State == finWait2 && w.life.Released.IsZero() { // left of orphans only
				w.accept(at)
				w.release(at)
			}
		}
		w.seeGone(asked, at)
	}
}

func (w *Watch) seeFull(s Socket, asked, at time.Time) {
	if s.State == synReceived { // a request, not yet the socket: the handshake's ACK is on its way
		return
	}
	if w.cookie == 0 {
		w.cookie = s.Cookie
		w.o.byCookie[s.Cookie] = w
		setCookie(w.request, s.Cookie)
	}
	l, held := &w.life, s.Inode != 0
	if held || closedHere(s.State) {
		w.accept(at)
	}
	w.alive = asked
	l.State = s.State
	w.note(Transition{At: at, State: s.State, Held: held})
	switch {
	case held || l.Accepted.IsZero():
		w.held = asked
	case l.Released.IsZero():
		w.release(at)
	}
}

// closedHere: a socket gets into these states by a close or shutdown on its own
// side, so a process had accepted it, be it between two looks.
func closedHere(state string) bool {
	return state == finWait1 || state == finWait2 || state == closing || state == lastAck
}

// seeGone: the full socket is out of the kernel's table. Of an orphan that is the
// end. A held one may live on (RST, or FIN in FIN_WAIT2), or its destroy event is
// under way: it counts as alive up to eventLag ago, or to when events are told of.
func (w *Watch) seeGone(asked, at time.Time) {
	if w.gone.IsZero() {
		w.gone = asked
	}
	alive := asked.Add(-eventLag)
	if told := w.o.marks.oldest(); !told.IsZero() && told.Before(alive) { // zero: no marks can be had
		alive = told
	}
	switch {
	case w.ended():
	case !w.life.Released.IsZero():
		w.free(at)
	case alive.After(w.gone):
		w.held, w.alive = alive, alive
		if w.life.State != closed {
			w.life.State = closed
			w.note(Transition{At: w.gone, State: closed, Held: !w.life.Accepted.IsZero()})
		}
	}
}

func (w *Watch) accept(at time.Time) {
	if w.life.Accepted.IsZero() {
		w.life.Accepted = at
		close(w.accepted)
	}
}

func (w *Watch) release(at time.Time) {
	w.life.Released, w.life.ReleasedBound = at, at.Sub(w.held)
	close(w.released)
}

// free: the kernel freed the full socket; what was not released is by that.
func (w *Watch) free(at time.Time) {
	if w.ended() {
		return
	}
	if at.Before(w.alive) {
		at = w.alive
	}
	if w.life.Released.IsZero() {
		w.release(at)
	} else if at.Before(w.life.Released) { // the event waited while a query told the release
		at = w.life.Released
	}
	w.life.Freed, w.life.FreedBound = at, at.Sub(w.alive)
	delete(w.o.byCookie, w.cookie)
	close(w.freed)
}

func (w *Watch) ended() bool { return !w.life.Freed.IsZero() }

// note keeps a transition unless nothing changed.
func (w *Watch) note(t Transition) {
	ts := w.life.Transitions
	if n := len(ts); n < maxTransitions && (n == 0 || ts[n-1] != Transition{ts[n-1].At, t.State, t.Held, t.Mini}) {
		w.life.Transitions = append(ts, t)
	}
}
