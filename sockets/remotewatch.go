package sockets

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// remoteSocket is what the observer elsewhere has told of one socket.
type remoteSocket struct {
	id     uint64
	peer   netip.AddrPort
	seen   time.Time // when its first line came; it existed some time before
	states []line    // the first maxTransitions

	accepted, released, freed *line // nil: not told
}

// Where a socket is found by its peer's port alone, it was seen first so long before or after the
// peer was connected, at most.
const matchWindow = 2 * time.Second

// take takes over a line of the stream. The error says why it cannot be true.
func (r *Remote) take(l line) error {
	now := time.Now()
	l.came = now
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines++; r.lines > mostPerSync {
		return fmt.Errorf("more than %d lines at once", mostPerSync)
	}
	if answer := r.syncs[l.Sync]; answer != nil {
		delete(r.syncs, l.Sync)
		answer <- answered{l.at(), now}
		return nil
	}
	if len(r.clock.offsets) > 0 {
		if earliest, _ := r.clock.local(l.at(), l.at()); earliest.After(now) {
			return fmt.Errorf("of something that is to happen in %s", earliest.Sub(now))
		}
	}
	switch l.Event {
	case lostEvent:
		r.lost = fmt.Sprintf("%.200q", l.Why)
		for w := range r.watches {
			w.lost = true
		}
	case stateEvent, acceptedEvent, releasedEvent, freedEvent:
		return r.takeEvent(&l, now)
	}
	return nil
}

// takeEvent takes over an event of a socket; r.mu is held.
func (r *Remote) takeEvent(l *line, now time.Time) error {
	s := r.sockets[l.Socket]
	isNew := s == nil
	if isNew {
		if len(r.sockets) >= mostKnown {
			return fmt.Errorf("of more than %d sockets at a time", mostKnown)
		}
		s = &remoteSocket{id: l.Socket, peer: l.Peer, seen: now}
		r.sockets[l.Socket] = s
	}
	if err := s.take(l); err != nil {
		return err
	}
	for w := range r.watches {
		switch {
		case w.socket == s:
			w.tell()
		case isNew && w.peer.Port() == s.peer.Port() && !w.certain(now):
			w.socket = nil
			w.find()
		}
	}
	if s.freed != nil {
		delete(r.sockets, s.id) // a watch that has found it keeps it
	}
	return nil
}

// take takes over an event. The error says how it contradicts an earlier one.
func (s *remoteSocket) take(l *line) error {
	once := func(to **line) error {
		if *to != nil {
			return fmt.Errorf("twice that socket %d was %s", s.id, l.Event)
		}
		*to = l
		return nil
	}
	switch l.Event {
	case stateEvent:
		if l.Held && !l.Mini && s.released != nil {
			return fmt.Errorf("that socket %d is held after it was released", s.id)
		}
		if len(s.states) < maxTransitions {
			s.states = append(s.states, *l)
		}
	case acceptedEvent:
		return once(&s.accepted)
	case releasedEvent:
		return once(&s.released)
	case freedEvent:
		if s.released == nil || l.at() < s.released.at() {
			return fmt.Errorf("that socket %d was freed before it was released", s.id)
		}
		return once(&s.freed)
	}
	return nil
}

// RemoteWatch follows one socket that an observer elsewhere sees. It finds it by the peer's address
// and port, or, where a NAT or a port mapping has changed the address, by the port alone if exactly
// one new socket has it.
type RemoteWatch struct {
	r                         *Remote
	peer                      netip.AddrPort
	began                     time.Time
	accepted, released, freed chan struct{}

	// r.mu guards the fields below.
	socket *remoteSocket // nil: not found
	urgent bool
	lost   bool
	silent bool   // a Look had no answer: what is missing then may have happened
	why    string // why it is not found, if more is known than that
}

// Accepted is as that of [Watch].
func (w *RemoteWatch) Accepted() <-chan struct{} { return w.accepted }

// Released is as that of [Watch].
func (w *RemoteWatch) Released() <-chan struct{} { return w.released }

// Freed is as that of [Watch].
func (w *RemoteWatch) Freed() <-chan struct{} { return w.freed }

// certain tells whether no other socket can be the right one: it has the peer's address, or no
// other one with that port came in time.
func (w *RemoteWatch) certain(now time.Time) bool {
	return w.socket != nil && (w.socket.peer == w.peer || now.Sub(w.began) > matchWindow)
}

// find looks for the socket among those that are known; r.mu is held.
func (w *RemoteWatch) find() {
	var byPort []*remoteSocket
	for _, s := range w.r.sockets {
		if s.peer.Port() != w.peer.Port() || w.over(s) {
			continue
		}
		if s.peer == w.peer {
			w.bind(s)
			return
		}
		if away := s.seen.Sub(w.began); away.Abs() <= matchWindow {
			byPort = append(byPort, s)
		}
	}
	switch len(byPort) {
	case 0:
	case 1:
		w.bind(byPort[0])
	default:
		w.why = fmt.Sprintf("%d sockets have the peer's port %d, and none has its address", len(byPort), w.peer.Port())
	}
}

// over tells whether the socket was released before the peer was connected: it is of an earlier
// connection from the same port.
func (w *RemoteWatch) over(s *remoteSocket) bool {
	if s.released == nil {
		return false
	}
	_, latest := w.r.clock.local(s.released.earliest(), s.released.at())
	if latest.Before(w.began) {
		w.why = "the socket with the peer's address was released before the peer was connected"
		return true
	}
	return false
}

func (w *RemoteWatch) bind(s *remoteSocket) {
	w.socket, w.why = s, ""
	w.tell()
	if w.urgent {
		w.sendUrgent()
	}
}

// tell closes the channels of what is known; r.mu is held. If it turns out that the socket was
// released before the peer was connected, the watch looks for another one.
func (w *RemoteWatch) tell() {
	if w.over(w.socket) {
		w.socket = nil
		return
	}
	for _, e := range []struct {
		known *line
		c     chan struct{}
	}{{w.socket.accepted, w.accepted}, {w.socket.released, w.released}, {w.socket.freed, w.freed}} {
		select {
		case <-e.c:
		default:
			if e.known != nil {
				close(e.c)
			}
		}
	}
}

// Urgent is as that of [Watch].
func (w *RemoteWatch) Urgent() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.urgent = true; w.socket != nil {
		w.sendUrgent()
	}
}

// sendUrgent does not wait: where orders are not taken, the next exchange says so.
func (w *RemoteWatch) sendUrgent() {
	select {
	case w.r.orders <- order{Urgent: w.socket.id}:
	default:
	}
}

// Look waits, for a second at most, until all that the observer saw until now has been taken over.
// Without an answer the watch has failed, if the release was not told before.
func (w *RemoteWatch) Look() {
	select {
	case <-w.released:
		return
	default:
	}
	if w.r.Failed() == nil && w.r.exchange(context.Background(), lookLimit, false) != nil {
		w.r.mu.Lock()
		w.silent = true
		w.r.mu.Unlock()
	}
}

// Stop is as that of [Watch].
func (w *RemoteWatch) Stop() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	delete(w.r.watches, w)
}

// Lifetime returns a copy of what was told so far. Its times are of this host's clock, and its
// bounds contain the error of the clock's offset. Failed says why the socket was not found, or why
// nothing more can be seen of it.
func (w *RemoteWatch) Lifetime() Lifetime {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	l := Lifetime{Lost: w.lost, Failed: w.r.err}
	if l.Failed == nil && w.silent {
		l.Failed = fmt.Errorf("the observer elsewhere did not answer within %s, when finwait stopped looking", lookLimit)
	}
	if w.socket == nil {
		if l.Failed == nil {
			l.Failed = w.notFound()
		}
		return l
	}
	s := w.socket
	dated := func(e *line) (at time.Time, bound time.Duration) {
		if e == nil {
			return at, 0
		}
		earliest, latest := w.r.clock.local(e.earliest(), e.at())
		if latest.After(e.came) { // it had happened when it was told
			latest = e.came
		}
		return latest, max(0, latest.Sub(earliest))
	}
	l.Accepted, _ = dated(s.accepted)
	l.Released, l.ReleasedBound = dated(s.released)
	l.Freed, l.FreedBound = dated(s.freed)
	for _, state := range s.states {
		at, _ := dated(&state)
		l.Transitions = append(l.Transitions, Transition{At: at, State: state.State, Held: state.Held, Mini: state.Mini})
		if !state.Mini {
			l.State = state.State
		}
		l.TimeWait = l.TimeWait || state.Mini && state.State == timeWait
	}
	return l
}

// notFound says why the socket was not found.
func (w *RemoteWatch) notFound() error {
	switch {
	case w.why != "":
		return errors.New("the observer elsewhere: " + w.why)
	case w.r.lost != "":
		return errors.New("the observer elsewhere sees no socket of this connection; it told: " + w.r.lost)
	}
	return fmt.Errorf("the observer elsewhere sees no socket of a peer at %s, or at another address with that port: does it "+
		"run beside the server, with the port that the server listens on there?", w.peer)
}
