package peers

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// GoDark goes dark: the kernel drops every incoming segment before TCP sees
// it, so no ACK and no RST leaves. What the peer sends later still leaves, and
// is retransmitted because its ACK is never seen.
type GoDark struct{}

// Do implements [Step].
func (GoDark) Do(_ context.Context, p *Peer) error {
	if err := p.wire.set(goDark); err != nil {
		return err
	}
	p.update(func() {
		at := p.now()
		p.live.dark, p.live.wasDark = &at, cmp.Or(p.live.wasDark, &at)
		p.recording.note(at, Local, EventDark, "gone dark")
	})
	return nil
}

func (GoDark) String() string { return "vanish" }

// ComeBack comes back from the dark.
type ComeBack struct{}

// Do implements [Step].
func (ComeBack) Do(_ context.Context, p *Peer) error {
	p.countDropped()
	if err := p.wire.set(comeBack); err != nil {
		return err
	}
	p.update(func() {
		p.live.dark = nil
		p.recording.note(p.now(), Local, EventDarkEnd, "back from the dark")
	})
	return nil
}

// countDropped notes how many segments the kernel dropped while the peer was dark.
func (p *Peer) countDropped() {
	n, err := p.wire.dropped()
	p.update(func() {
		if p.live.dropped = n; err != nil {
			p.recording.note(p.now(), Local, EventDark, "how many segments were dropped is not known: "+err.Error())
		}
	})
}

func (ComeBack) String() string { return "return" }

// DropFIN drops every segment with the FIN bit from now on and acknowledges
// all others: the server's FIN is never acknowledged. It needs CAP_NET_ADMIN.
type DropFIN struct{}

// Do implements [Step].
func (DropFIN) Do(_ context.Context, p *Peer) error { return p.wire.set(dropFIN) }

func (DropFIN) String() string { return "drop every FIN" }

// AwaitAcked waits until the server's kernel has acknowledged everything sent,
// so that a peer gone dark has nothing to retransmit. The kernel has no event
// for it: SIOCOUTQ is asked every millisecond.
type AwaitAcked struct{}

// Do implements [Step].
func (AwaitAcked) Do(ctx context.Context, p *Peer) error {
	for time.Now().Before(p.until()) {
		left, err := 0, error(nil)
		p.wire.control(func(fd uintptr) { left, err = unacked(fd) })
		if err != nil || left == 0 {
			return err
		}
		if err := p.awaitUntil(ctx, time.Now().Add(time.Millisecond), func() bool { return false }); !errors.Is(err, errOver) {
			return err
		}
	}
	return errOver
}

func (AwaitAcked) String() string { return "await ACK" }
