package peers

import (
	"context"
	"time"
)

// All waiting of a peer is here: for a change of its live state, until a deadline that is
// absolute and starts at the trigger.

// await blocks until cond holds (nil), the deadline in force has passed
// (errOver) or ctx is done. cond is called with p.mu held.
func (p *Peer) await(ctx context.Context, cond func() bool) error {
	return p.awaitUntil(ctx, p.until(), cond)
}

func (p *Peer) awaitUntil(ctx context.Context, deadline time.Time, cond func() bool) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-p.sight.Gone:
			deadline = earlier(deadline, p.onGone())
			timer.Reset(time.Until(deadline))
		case <-timer.C:
			return errOver
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastPacket bounds the wait for the FIN or RST of a server socket that is
// gone: it is on its way, unless the peer cannot see it.
const lastPacket = time.Second

// onGone notes that the server's socket is gone, and returns the new deadline.
func (p *Peer) onGone() time.Time {
	p.sight.Gone = nil
	p.update(func() {
		p.live.serverGone = true
		if !p.live.endIsHidden() {
			p.live.deadline = earlier(p.live.deadline, time.Now().Add(lastPacket))
		}
	})
	return p.until()
}

// until is the deadline in force; where a [Probe] breaks off the script, that instant.
func (p *Peer) until() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live.until()
}

func (s *state) until() time.Time {
	if s.probeAt.IsZero() {
		return s.deadline
	}
	return earlier(s.deadline, s.probeAt)
}

// update changes what await looks at.
func (p *Peer) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Peer) now() time.Duration { return time.Since(p.start) }
