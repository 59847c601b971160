package peers

import (
	"context"
	"time"
)

// Trigger is time zero: the close, offence or loss follows. All times of the
// record and the patience count from here. Where the server's socket is
// observed it first waits, at most [sighting], until it is in sight.
type Trigger struct{}

// sighting bounds the wait for a server that accepts late, or only once data
// came (TCP_DEFER_ACCEPT in tcp(7)).
const sighting = time.Second

// Do implements [Step].
func (Trigger) Do(ctx context.Context, p *Peer) error {
	if err := p.awaitAccepted(ctx); err != nil {
		return err
	}
	p.callTriggered()
	p.setTrigger(time.Now())
	return nil
}

// awaitAccepted waits, at most sighting, until the server's socket is in sight.
func (p *Peer) awaitAccepted(ctx context.Context) error {
	if p.sight.Accepted == nil {
		return nil
	}
	timer := time.NewTimer(sighting)
	defer timer.Stop()
	select {
	case <-p.sight.Accepted:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// callTriggered tells the caller of Run that the trigger is now.
func (p *Peer) callTriggered() {
	if p.opt.Triggered != nil {
		p.opt.Triggered()
	}
}

// setTrigger makes this moment, now or shortly before, the trigger.
func (p *Peer) setTrigger(at time.Time) {
	p.update(func() {
		p.live.trigger, p.live.triggered = at.Sub(p.start), true
		p.live.deadline = p.start.Add(p.live.trigger + p.opt.Patience)
		if p.opt.Probe != nil && p.opt.Probe.At > 0 {
			p.live.probeAt = at.Add(p.opt.Probe.At)
		}
	})
}

func (Trigger) String() string { return "trigger" }
