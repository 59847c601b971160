package peers

import (
	"cmp"
	"slices"
	"time"
)

// sightError is how long after its arrival an end of TCP may be read on a busy machine. A FIN
// that was lost on the way, and came again, is later still: no peer can tell.
const sightError = 100 * time.Millisecond

// Looks are all that the record tells about whether the server's process held its socket, in the
// order of time: what a [Probe] found out, and what FIN and RST tell by themselves. There are
// none where the connection ended before the trigger.
//
// It takes for granted that the server's FIN is the work of its process, close(2) or shutdown(2),
// which until then held the socket; and that the process lets go where it sends FIN after the
// peer's FIN: one that only ends its sending direction then, and keeps the descriptor, looks the
// same. FIN after FIN, with no probe in between, tells nothing of the time after it.
func (r *Record) Looks() []Look { return slices.Clone(r.looks) }

// lookAtWire adds to the looks of the probe what the ends of TCP tell. p.mu is held; the times are
// since the peer's start.
func (p *Peer) lookAtWire() []Look {
	s := &p.live
	if !s.triggered {
		return nil
	}
	looks := slices.Clone(s.looks)
	add := func(at time.Duration, state LookState, how string) { looks = append(looks, Look{at, at, state, how}) }
	err := p.roundTrip + sightError
	slow := p.wire != nil && p.wire.pace.Load() != nil
	hidden := slow || p.wire != nil && p.wire.readingStopped.Load()
	fin, rst := s.fin, s.rst
	// What comes after the byte of a probe may be its work.
	if a := s.askedData; a != nil && fin != nil && *fin > *a {
		fin = nil
	}
	if a := s.askedData; a != nil && rst != nil && *rst > *a {
		rst = nil
	}

	// heldUntil adds what an end that came at the time proves of the time before it.
	heldUntil := func(at time.Duration, how string) {
		switch {
		case s.wasDark != nil && *s.wasDark < at: // it may have been sent and dropped long before
			add(*s.wasDark-err, Held, how+" was not there yet when the peer went dark")
		case !slow: // who reads slowly reads the FIN late
			add(at-err, Held, how)
		}
	}
	if fin != nil {
		heldUntil(min(*fin, s.finArrived), "the server's FIN")
		if s.peerFIN != nil && *fin > *s.peerFIN+p.roundTrip { // else they may have crossed
			add(*fin, LetGo, "the server's FIN after that of the peer")
		}
	}
	if rst != nil {
		switch w := s.writes; {
		case fin != nil && *rst-*fin <= 2*err: // it may answer what was on its way when FIN came
		case w.last == nil || fin == nil && !hidden:
			heldUntil(*rst, "the server's RST")
		case w.acked != nil:
			add(*w.acked, Held, "data of the peer acknowledged")
		}
		add(*rst, LetGo, "the server's RST")
	}
	slices.SortStableFunc(looks, func(a, b Look) int { return cmp.Compare(a.Asked, b.Asked) })
	return looks
}

// writes are the times of what the peer sent after the server's FIN, or while it does not read:
// the kernel of a socket that nobody holds answers it with RST.
type writes struct {
	last  *time.Duration
	acked *time.Duration // the latest that the server's kernel had acknowledged when the peer wrote the next
}

// observeWrite dates data, or a FIN, that the peer is about to send.
func (p *Peer) observeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.live
	if s.fin == nil && !p.wire.readingStopped.Load() && p.wire.pace.Load() == nil {
		return
	}
	at, w := p.now(), &s.writes
	if w.last != nil {
		left, err := 0, error(nil)
		p.wire.control(func(fd uintptr) { left, err = unacked(fd) })
		if err == nil && left == 0 && !s.tcpClosed {
			w.acked = w.last
		}
	}
	w.last = &at
}
