package peers

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Ask sends a command of the control contract (docs/contract.md): a text
// message that begins with "finwait:".
type Ask struct{ Command string }

// Do implements [Step].
func (s Ask) Do(ctx context.Context, p *Peer) error { return Send{Command(s.Command)}.Do(ctx, p) }

func (s Ask) String() string { return "ask " + s.Command }

// Command is the frame that [Ask] sends.
func Command(command string) Frame { return Text("finwait:" + command) }

// AwaitAnswer waits for a text message that begins with Prefix.
type AwaitAnswer struct{ Prefix string }

// Do implements [Step].
func (s AwaitAnswer) Do(ctx context.Context, p *Peer) error {
	got := false
	err := p.await(ctx, func() bool {
		for _, m := range p.rec.Messages {
			got = got || m.Text && strings.HasPrefix(string(m.Payload), s.Prefix)
		}
		return got || p.over()
	})
	if err == nil && !got {
		return errOver
	}
	return err
}

func (s AwaitAnswer) String() string { return fmt.Sprintf("await text %+q…", s.Prefix) }

// SlowReading reads from now on Bytes at most, then nothing for Every.
type SlowReading struct {
	Bytes int
	Every time.Duration
}

// Do implements [Step].
func (s SlowReading) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.note(p.now(), Local, s.String()) })
	p.wire.slowReading(s)
	return nil
}

func (s SlowReading) String() string { return fmt.Sprintf("read %d bytes every %s", s.Bytes, s.Every) }

// AwaitBytes waits until the server has sent N bytes since the handshake
// began.
type AwaitBytes struct{ N int }

// Do implements [Step].
func (s AwaitBytes) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.rec.BytesRead >= uint64(s.N) || p.over() })
}

func (s AwaitBytes) String() string { return fmt.Sprintf("await %d bytes", s.N) }

// AwaitMessages waits until the server has sent N messages.
type AwaitMessages struct{ N int }

// Do implements [Step].
func (s AwaitMessages) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return len(p.rec.Messages) >= s.N || p.over() })
}

func (s AwaitMessages) String() string { return fmt.Sprintf("await %d messages", s.N) }
