package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

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
	case until.Before(p.live.until()):
		return nil
	case p.live.triggered && (!p.live.serverGone || p.live.endIsHidden()):
		return errCutShort
	}
	return errOver
}

// AwaitAnswer waits for a text message that begins with Prefix.
type AwaitAnswer struct{ Prefix string }

// Do implements [Step].
func (s AwaitAnswer) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s AwaitAnswer) matches(m Message) bool {
	return m.Text && strings.HasPrefix(string(m.Payload), s.Prefix)
}

func (s AwaitAnswer) needs() int { return len(s.Prefix) }

func (s AwaitAnswer) String() string { return fmt.Sprintf("await text %+q…", s.Prefix) }

// AwaitBinary waits for a binary message with this payload.
type AwaitBinary struct{ Payload string }

// Do implements [Step].
func (s AwaitBinary) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s AwaitBinary) matches(m Message) bool {
	return !m.Text && m.Length == uint64(len(s.Payload)) && string(m.Payload) == s.Payload
}

func (s AwaitBinary) needs() int { return len(s.Payload) }

func (s AwaitBinary) String() string { return fmt.Sprintf("await binary %+q", s.Payload) }

// AwaitMatch waits for a message that came after [Ask] and that Accepts takes. How
// much of a message it sees, [Options.MessageBytes] says.
type AwaitMatch struct {
	What    string // in a script
	Accepts func(Message) bool
}

// Do implements [Step].
func (s *AwaitMatch) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s *AwaitMatch) matches(m Message) bool { return s.Accepts(m) }

func (s *AwaitMatch) needs() int { return 0 }

func (s *AwaitMatch) String() string { return "await " + s.What }

// AwaitBytes waits until the server has sent N bytes since it was asked for
// something, see [Ask], or since the handshake began.
type AwaitBytes struct{ N int }

// Do implements [Step].
func (s AwaitBytes) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.live.bytesRead-p.live.askedAt >= uint64(s.N) || p.live.over() })
}

func (s AwaitBytes) String() string { return fmt.Sprintf("await %d bytes", s.N) }

// AwaitMessages waits until the server has sent N messages.
type AwaitMessages struct{ N int }

// Do implements [Step].
func (s AwaitMessages) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.live.messages >= s.N || p.live.over() })
}

func (s AwaitMessages) String() string { return fmt.Sprintf("await %d messages", s.N) }
