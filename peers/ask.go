package peers

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Ask makes the server's application obey a command of the control contract
// (docs/contract.md), by a text message that begins with "finwait:", and sends
// Then in the same write. Where [Options.Command] takes the command, it runs
// beside the rest of the script, for it may itself wait for the close; its failure
// ends the script.
type Ask struct {
	Command string
	Then    []Frame
}

// Do implements [Step].
func (s Ask) Do(ctx context.Context, p *Peer) error {
	var run func(context.Context) error
	if p.opt.Command != nil {
		run = p.opt.Command(s.Command)
	}
	p.update(func() { p.asked, p.askedAt = true, p.rec.BytesRead })
	if run == nil {
		return append(Send{Command(s.Command)}, s.Then...).Do(ctx, p)
	}
	p.carryOut(ctx, s, run)
	if len(s.Then) == 0 {
		return nil
	}
	return Send(s.Then).Do(ctx, p)
}

// carryOut starts a command, which is killed at the deadline in force. That is a
// failure only where nothing is seen of what it was to do.
func (p *Peer) carryOut(ctx context.Context, s Ask, run func(context.Context) error) {
	var deadline time.Time
	p.update(func() {
		p.note(p.now(), Local, "run the command for "+s.Command)
		deadline = p.deadline
		p.underWay++
	})
	p.commands.Go(func() {
		timed, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		err := run(timed)
		p.update(func() {
			p.underWay--
			switch seen := len(p.rec.Closes) > 0 || p.rec.Ending != Open; {
			case err == nil:
				p.note(p.now(), Local, "the command is done")
			case ctx.Err() != nil: // the run is ending, or another command has failed
			case timed.Err() != nil && seen:
				p.note(p.now(), Local, "the command still ran, and was killed")
			default:
				p.unable = fmt.Errorf("%s: %w", s, err)
				p.stop(p.unable)
			}
		})
	})
}

func (s Ask) String() string {
	command := fmt.Sprintf("%+q", s.Command)
	if plain := command[1 : len(command)-1]; plain == s.Command && !strings.Contains(plain, ", ") {
		command = plain
	}
	if len(s.Then) == 0 {
		return "ask " + command
	}
	return "ask " + command + ", and " + Send(s.Then).String()
}

// Command is the frame that [Ask] sends.
func Command(command string) Frame { return Text("finwait:" + command) }

// AwaitAnswer waits for a text message that begins with Prefix.
type AwaitAnswer struct{ Prefix string }

// Do implements [Step].
func (s AwaitAnswer) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s AwaitAnswer) matches(m Message) bool {
	return m.Text && strings.HasPrefix(string(m.Payload), s.Prefix)
}

func (s AwaitAnswer) String() string { return fmt.Sprintf("await text %+q…", s.Prefix) }

// AwaitBinary waits for a binary message with this payload, of less than 1 KiB.
type AwaitBinary struct{ Payload string }

// Do implements [Step].
func (s AwaitBinary) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s AwaitBinary) matches(m Message) bool {
	return !m.Text && m.Length == uint64(len(s.Payload)) && string(m.Payload) == s.Payload
}

func (s AwaitBinary) String() string { return fmt.Sprintf("await binary %+q", s.Payload) }

// AwaitMatch waits for a message that came after [Ask] and that Accepts takes.
type AwaitMatch struct {
	What    string // in a script
	Accepts func(Message) bool
}

// Do implements [Step].
func (s *AwaitMatch) Do(ctx context.Context, p *Peer) error { return p.awaitMessage(ctx, s) }

func (s *AwaitMatch) matches(m Message) bool { return s.Accepts(m) }

func (s *AwaitMatch) String() string { return "await " + s.What }

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

// AwaitBytes waits until the server has sent N bytes since it was asked for
// something, see [Ask], or since the handshake began.
type AwaitBytes struct{ N int }

// Do implements [Step].
func (s AwaitBytes) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.rec.BytesRead-p.askedAt >= uint64(s.N) || p.over() })
}

func (s AwaitBytes) String() string { return fmt.Sprintf("await %d bytes", s.N) }

// AwaitMessages waits until the server has sent N messages.
type AwaitMessages struct{ N int }

// Do implements [Step].
func (s AwaitMessages) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.messages >= s.N || p.over() })
}

func (s AwaitMessages) String() string { return fmt.Sprintf("await %d messages", s.N) }
