package peers

import (
	"context"
	"errors"
	"fmt"
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
	})
}

func (Trigger) String() string { return "trigger" }

// AwaitText waits until the server has sent this text message.
type AwaitText struct{ Text string }

// Do implements [Step].
func (s AwaitText) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s AwaitText) matches(m Message) bool {
	return m.Text && m.Length == uint64(len(s.Text)) && string(m.Payload) == s.Text
}

func (s AwaitText) needs() int { return len(s.Text) }

func (s AwaitText) String() string { return fmt.Sprintf("await text %+q", s.Text) }

// AwaitClose waits for the server's Close frame.
type AwaitClose struct {
	// For bounds the wait, and then the script goes on; it counts from the end of the
	// commands that Ask has started. 0: until the patience is over.
	For time.Duration
}

// Do implements [Step].
func (s AwaitClose) Do(ctx context.Context, p *Peer) error {
	closed := func() bool { return p.live.closes > 0 || p.live.over() }
	if s.For == 0 {
		return p.await(ctx, closed)
	}
	if err := p.await(ctx, func() bool { return p.live.commandsRunning == 0 || closed() }); err != nil {
		return err
	}
	limit := time.Now().Add(s.For)
	err := p.awaitUntil(ctx, earlier(limit, p.until()), closed)
	if errors.Is(err, errOver) && limit.Before(p.until()) {
		return nil
	}
	return err
}

func (s AwaitClose) String() string {
	if s.For > 0 {
		return fmt.Sprintf("await close for %s", s.For)
	}
	return "await close"
}

// AnswerClose answers the server's Close frame with its own body.
type AnswerClose struct {
	Else Step // what is done where none came; nil: nothing
}

// Do implements [Step].
func (s AnswerClose) Do(ctx context.Context, p *Peer) error {
	p.mu.Lock()
	closes, body := p.live.closes, p.live.firstClose.Body
	p.mu.Unlock()
	switch {
	case closes == 0 && s.Else != nil:
		return s.Else.Do(ctx, p)
	case closes == 0:
		return nil
	}
	return Send{CloseBody(body[:min(len(body), 125)])}.Do(ctx, p)
}

func (s AnswerClose) String() string {
	if s.Else != nil {
		return "answer close, else " + s.Else.String()
	}
	return "answer close"
}

// AwaitEnd waits until the server ends TCP, or TLS: a client answers close_notify
// by ending its own side, and some servers wait for that before their FIN.
type AwaitEnd struct{}

// Do implements [Step].
func (AwaitEnd) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.live.over() || p.live.closeNotify != nil })
}

func (AwaitEnd) String() string { return "await end of TCP or TLS" }

// HoldOpen does nothing until the server's socket is gone. Where that is not
// observed, until the server ends TCP; a peer that cannot see that either goes
// on at once.
type HoldOpen struct{}

// Do implements [Step].
func (HoldOpen) Do(ctx context.Context, p *Peer) error {
	observed := p.sight.Gone != nil || p.live.serverGone
	return p.await(ctx, func() bool { return (p.live.serverGone || !observed) && (p.live.over() || p.live.endIsHidden()) })
}

func (HoldOpen) String() string { return "hold open" }

// Pause lets time pass in which the peer does nothing; it reads on.
type Pause struct{ For time.Duration }

// Do implements [Step].
func (s Pause) Do(ctx context.Context, p *Peer) error {
	return p.pauseUntil(ctx, time.Now().Add(s.For))
}

func (s Pause) String() string { return "pause " + s.For.String() }

// pauseUntil lets time pass until the instant, at most until the deadline in
// force. After the trigger that is errCutShort, unless the end of the server's
// socket has shortened the deadline; else errOver.
func (p *Peer) pauseUntil(ctx context.Context, until time.Time) error {
	err := p.awaitUntil(ctx, earlier(until, p.until()), func() bool { return false })
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !errors.Is(err, errOver):
		return err
	case until.Before(p.live.deadline):
		return nil
	case p.live.triggered && (!p.live.serverGone || p.live.endIsHidden()):
		return errCutShort
	}
	return errOver
}
