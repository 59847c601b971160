package peers

import (
	"context"
	"time"
)

// Finish sends FIN and waits until TCP is closed in both directions, or reset.
// Where this host does not tell that, it does not wait.
type Finish struct {
	Bare bool // as in [HalfClose]
}

// Do implements [Step].
func (s Finish) Do(ctx context.Context, p *Peer) error {
	if err := HalfClose(s).Do(ctx, p); err != nil {
		return err
	}
	return p.await(ctx, func() bool { return p.live.tcpClosed || watchable() != nil })
}

func (s Finish) String() string { return fin(s.Bare) + ", await the end" }

// HalfClose sends FIN, shutdown(2) of the writing side, and reads on. Under TLS
// a close_notify goes first.
type HalfClose struct {
	Bare bool // without the close_notify
}

// Do implements [Step].
func (s HalfClose) Do(ctx context.Context, p *Peer) error {
	if err := p.beforeFIN(ctx); err != nil {
		return err
	}
	p.update(func() {
		at := p.now()
		if p.live.rst == nil && p.live.peerFIN == nil {
			p.live.peerFIN = &at
			p.recording.note(at, Sent, EventFIN, "FIN")
		}
	})
	if !s.Bare {
		p.closeNotify()
	}
	_ = p.wire.halfClose() // fails where TCP has ended: the record has that
	return nil
}

func (s HalfClose) String() string { return fin(s.Bare) + ", read on" }

func fin(bare bool) string {
	if bare {
		return "send FIN without close_notify"
	}
	return "send FIN"
}

// CloseNotify sends TLS close_notify (RFC 8446, 6.1) without FIN, and reads on.
// It is for wss.
type CloseNotify struct{}

// Do implements [Step].
func (CloseNotify) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.live.noPong = true; p.recording.note(p.now(), Sent, EventCloseNotify, "TLS close_notify") })
	p.closeNotify()
	return nil
}

func (CloseNotify) String() string { return "send close_notify, read on" }

// closeNotify sends close_notify where there is TLS. It blocks until the
// patience runs out at most: one behind a full send buffer would wait longer.
// It fails where TCP has ended: the record has that.
func (p *Peer) closeNotify() {
	limit := time.AfterFunc(time.Until(p.until()), func() { _ = p.wire.SetWriteDeadline(time.Unix(1, 0)) })
	defer limit.Stop()
	_ = p.wire.closeNotify()
}

// CloseSocket closes the descriptor, close(2): FIN, and RST in answer to whatever
// the server sends afterwards. The peer sees nothing more.
type CloseSocket struct{}

// Do implements [Step].
func (CloseSocket) Do(ctx context.Context, p *Peer) error {
	if p.asksBeforeFIN() && !p.wire.readingStopped.Load() { // what was not read makes close(2) send RST
		return p.closeVisibly(ctx)
	}
	p.update(func() {
		at := p.now()
		p.live.socketClosed, p.live.peerFIN = true, &at
		p.recording.note(at, Sent, EventFIN, "FIN (close)")
	})
	p.wire.end(true)
	return nil
}

func (CloseSocket) String() string { return "close the socket" }

// Reset sends RST: close(2) with SO_LINGER 0 (socket(7)). The peer sees
// nothing more.
type Reset struct{}

// Do implements [Step].
func (Reset) Do(_ context.Context, p *Peer) error {
	p.update(func() {
		at := p.now()
		p.live.socketClosed, p.live.peerRST = true, &at
		p.recording.note(at, Sent, EventRST, "RST")
	})
	p.wire.end(false)
	return nil
}

func (Reset) String() string { return "send RST" }

// Forget drops the connection from the peer's kernel without a packet, as a
// reboot does: the server's next segment is answered with RST. So is its answer
// to a connection that begins from the same port (RFC 9293, 3.10.7.4), which
// therefore nobody else should get: see [Connect]. It needs CAP_NET_ADMIN.
type Forget struct{}

// Do implements [Step].
func (Forget) Do(_ context.Context, p *Peer) error {
	if err := p.wire.set(forget); err != nil {
		return err
	}
	p.update(func() {
		p.live.socketClosed = true
		p.recording.note(p.now(), Local, EventForgotten, "connection forgotten (TCP_REPAIR)")
	})
	p.wire.end(true)
	return nil
}

func (Forget) String() string { return "forget the connection" }

// set runs a socket option setter on the descriptor.
func (w *wire) set(option func(fd uintptr) error) (err error) {
	w.control(func(fd uintptr) { err = option(fd) })
	return err
}
