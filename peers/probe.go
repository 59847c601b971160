package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Probe makes the peer find out, once, whether the server's process still holds its socket. It
// needs no privilege and works over any distance. [Record.Looks] has the answer.
//
// The peer sends one byte, below TLS and framing. The kernel of a socket that no process holds
// answers data with RST, in FIN_WAIT1 and FIN_WAIT2, in TIME_WAIT, and where nothing is left of
// it (RFC 1122, 4.2.2.13; tcp_rcv_state_process in net/ipv4/tcp_input.c). The kernel of one that
// is held acknowledges them. Two states look otherwise than they are: a process that has called
// shutdown(SHUT_RDWR) and keeps the descriptor is answered for by RST; and a connection that
// nobody has accepted yet is acknowledged.
//
// A peer that has sent FIN cannot send data. It makes its kernel send keepalive probes instead
// (TCP_KEEPIDLE in tcp(7)), which are acknowledged as long as the socket exists; that the process
// let go of it shows as FIN.
//
// An answer is awaited for 2 s and a round trip, of keepalive probes for 2.5 s; without one the look
// is Unknown. A peer that went dark returns first. What it has sent while dark must be acknowledged
// before the byte can leave: that takes a second at most where [RTOMax] is nil. Elsewhere the peer
// waits as much longer as it was dark.
type Probe struct {
	// At is when the peer breaks off its script and asks, since the trigger; not later than the
	// patience ends. 0: when the script is over, before the peer gives up and after
	// [Options.GivingUp].
	At time.Duration

	// BeforeFIN makes the peer ask as well where its script sends FIN after the server's FIN has
	// come: directly before. [CloseSocket] only sends FIN then, and the peer resets the connection
	// when data comes, as a kernel does whose socket is closed; so it sees how the server ends TCP.
	BeforeFIN bool
}

// Bounds of a probe. Both are added to the round trip.
const (
	answerBound    = 2 * time.Second
	keepaliveBound = 2500 * time.Millisecond // two keepalive probes, the first of which is sent within a second
	writeBound     = 100 * time.Millisecond
)

// whyNoData is the reason of a byte that could not leave.
const whyNoData = "the server takes no data, so that the byte could not be sent"

// probeAt asks when the time has come; until then the connection stays as it is.
func (p *Peer) probeAt(ctx context.Context) error {
	p.mu.Lock()
	pending := !p.live.probeAt.IsZero()
	p.mu.Unlock()
	if !pending {
		return nil
	}
	if err := p.await(ctx, p.live.noneToAsk); err != nil && !errors.Is(err, errOver) {
		return err
	}
	return p.probe(ctx)
}

// noneToAsk tells whether the connection is over in both directions, or the peer has given up its end.
func (s *state) noneToAsk() bool {
	return s.tcpClosed || s.socketClosed || s.fin != nil && s.peerFIN != nil
}

// probe asks once, where there is a connection and it has not asked yet. It blocks until the
// answer, at most for the bound.
func (p *Peer) probe(ctx context.Context) error {
	p.mu.Lock()
	s := &p.live
	if s.probed || !s.triggered {
		p.mu.Unlock()
		return nil
	}
	s.probed, s.probeAt, s.noPong = true, time.Time{}, true
	none, closed, halfClosed, dark := s.noneToAsk(), s.socketClosed, s.peerFIN != nil, s.dark
	broken := s.ending == Broken
	p.mu.Unlock()
	switch {
	case closed:
		p.unknown("the peer had ended its own side")
		return nil
	case broken:
		p.unknown("the connection had failed on this side")
		return nil
	case none:
		return nil // the wire told
	}
	bound := answerBound + p.roundTrip
	if dark != nil {
		if err := (ComeBack{}).Do(ctx, p); err != nil {
			return err
		}
		if p.rtoMax != nil { // the next retransmission may be as far away as the first one is by now
			bound += p.now() - *dark
		}
	}
	if halfClosed {
		return p.probeKeepalive(ctx, bound-answerBound+keepaliveBound)
	}
	return p.probeByte(ctx, bound)
}

// probeByte sends a byte, and waits for ACK or RST.
func (p *Peer) probeByte(ctx context.Context, bound time.Duration) error {
	_ = p.wire.SetWriteDeadline(time.Unix(1, 0)) // a write that is stuck gives way
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.wire.set(func(fd uintptr) error { _, err := unacked(fd); return err }); err != nil {
		p.unknown(err.Error())
		return nil
	}
	_ = p.wire.set(reportAcks) // where it fails, the kernel is asked at intervals
	before, _ := p.wire.segments()
	now := time.Now()
	limit, asked := now.Add(bound), now.Sub(p.start)
	p.update(func() {
		p.live.askedData = &asked
		p.recording.note(asked, Sent, EventProbe, "one byte, to find out whether the process still has its socket")
	})
	_ = p.wire.SetWriteDeadline(now.Add(writeBound))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, written := p.wire.TCPConn.Write([]byte{0})
	acked := false
	switch {
	case errors.Is(written, os.ErrDeadlineExceeded):
	case written == nil:
		_ = p.wire.SetWriteDeadline(limit)
		if ctx.Err() != nil { // its cancellation sets a deadline of its own
			return context.Cause(ctx)
		}
		acked = p.wire.awaitAck(limit, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return ctx.Err() != nil || p.live.tcpClosed })
	case !isReset(written) && !errors.Is(written, syscall.EPIPE):
		p.unknown("one byte could not be sent: " + errno(written))
		return nil
	}
	if acked {
		p.look(Look{asked, p.now(), Held, "one byte acknowledged"})
		return nil
	}
	if p.wire.tcpClosed() { // a peer that reads slowly comes to the RST after what stands before it
		p.wire.dateClosed()
	}
	if err := p.awaitUntil(ctx, limit, func() bool { return p.live.tcpClosed }); err != nil {
		if errors.Is(err, errOver) {
			p.unanswered(asked, before, written == nil, bound)
			return nil
		}
		return err
	}
	p.mu.Lock()
	rst := p.live.rst
	p.mu.Unlock()
	if rst == nil {
		p.unknown("the connection failed on this side")
		return nil
	}
	p.look(Look{asked, *rst, LetGo, "RST in answer to one byte"})
	return nil
}

// unanswered notes a byte that was neither acknowledged nor answered by RST. Where it could not
// leave because the server's receive buffer is full, the peer's kernel sends window probes
// instead. Their ACK is that of a process that holds the socket: to let go of one with unread data
// is to reset it (RFC 1122, 4.2.2.13).
func (p *Peer) unanswered(asked time.Duration, before segments, written bool, bound time.Duration) {
	now, err := p.wire.segments()
	switch stuck := !written || now.unsent > 0; {
	case stuck && err == nil && now.inFlight == 0 && now.in != before.in:
		p.look(Look{asked - p.roundTrip, p.now(), Held, "a window probe acknowledged while the server takes no data"})
	case stuck && now.inFlight == 0:
		p.unknown(whyNoData)
	default:
		p.unknown(fmt.Sprintf("no answer to one byte within %s%s", bound.Round(time.Millisecond), p.rtoCaveat()))
	}
}

// segments are what TCP_INFO tells of a peer's socket.
type segments struct {
	in       uint32 // that have come; those that a dark peer drops do not count
	inFlight uint32 // that are not acknowledged
	unsent   uint32 // bytes that have not left; where nothing is in flight, they wait for the server's receive window
}

// rtoCaveat says why an answer may be late.
func (p *Peer) rtoCaveat() string {
	if p.rtoMax == nil || p.live.wasDark == nil {
		return ""
	}
	return "; this kernel cannot bound its retransmission timeout: " + p.rtoMax.Error()
}

// probeKeepalive makes the kernel of a half-closed peer send keepalive probes, and waits for a
// segment of the server or its end. No event tells of an ACK without data: TCP_INFO is asked at
// intervals.
func (p *Peer) probeKeepalive(ctx context.Context, bound time.Duration) error {
	p.mu.Lock()
	hidden := p.wire.readingStopped.Load() || p.wire.pace.Load() != nil
	p.mu.Unlock()
	if hidden {
		p.unknown("the peer does not read, which hides a FIN behind data")
		return nil
	}
	before, err := p.wire.segments()
	if err == nil {
		err = p.wire.set(keepalive)
	}
	if err != nil {
		p.unknown("keepalive probes: " + err.Error())
		return nil
	}
	now := time.Now()
	limit, asked := now.Add(bound), now.Sub(p.start)
	p.update(func() {
		p.recording.note(asked, Local, EventProbe, "keepalive probes, to find out whether the server's socket exists")
	})
	for {
		err := p.awaitUntil(ctx, earlier(limit, time.Now().Add(pollEvery)), p.live.noneToAsk)
		if !errors.Is(err, errOver) {
			return err // nil: its FIN or RST tells
		}
		if now, err := p.wire.segments(); err == nil && now.in != before.in {
			// It may have been on its way when the peer asked.
			p.look(Look{asked - p.roundTrip, p.now(), Held, "a keepalive probe acknowledged, and no FIN"})
			return nil
		}
		if !time.Now().Before(limit) {
			p.unknown(fmt.Sprintf("no answer to keepalive probes within %s%s", bound.Round(time.Millisecond), p.rtoCaveat()))
			return nil
		}
	}
}

// pollEvery is the interval of what no event tells.
const pollEvery = 5 * time.Millisecond

// pollAck asks at intervals whether all that was sent is acknowledged, where the kernel has no
// event for it. It first asks after one interval: what was written just now need not be in flight.
func (w *wire) pollAck(limit time.Time, over func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !over() && time.Now().Before(limit) {
		select {
		case <-tick.C:
		case <-w.closed:
			return false
		}
		left, err := 0, error(nil)
		w.control(func(fd uintptr) { left, err = unacked(fd) })
		switch {
		case isReset(err):
			w.onEnd(RST, EventRST, "RST")
			return false
		case err != nil:
			return false
		case left == 0:
			return !w.tcpClosed()
		}
	}
	return false
}

// unknown notes a probe without an answer.
func (p *Peer) unknown(why string) {
	p.look(Look{p.now(), p.now(), Unknown, why})
}

// look notes the answer of a probe.
func (p *Peer) look(l Look) {
	p.update(func() {
		p.live.looks = append(p.live.looks, l)
		if l.State != LetGo { // the trace has the RST
			p.recording.note(p.now(), Local, EventProbe, "the server's socket: "+string(l.State)+", "+l.How)
		}
	})
}

// beforeFIN asks where the script is about to send FIN, see [Probe.BeforeFIN].
func (p *Peer) beforeFIN(ctx context.Context) error {
	p.mu.Lock()
	asks := p.asksBeforeFIN() && p.live.fin != nil && p.live.peerFIN == nil
	p.mu.Unlock()
	if !asks {
		return nil
	}
	return p.probe(ctx)
}

func (p *Peer) asksBeforeFIN() bool { return p.opt.Probe != nil && p.opt.Probe.BeforeFIN }

// closeVisibly does what the kernel does for a closed socket: it sends FIN, and RST in answer to data.
func (p *Peer) closeVisibly(ctx context.Context) error {
	reset := func() { _ = Reset{}.Do(ctx, p) }
	p.wire.onData.Store(&reset)
	return HalfClose{Bare: true}.Do(ctx, p)
}
