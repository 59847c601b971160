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
	p.update(func() { p.live.asked, p.live.askedAt = true, p.live.bytesRead })
	if run == nil {
		return append(Send{Command(s.Command)}, s.Then...).Do(ctx, p)
	}
	p.startCommand(ctx, s, run)
	if len(s.Then) == 0 {
		return nil
	}
	return Send(s.Then).Do(ctx, p)
}

// startCommand starts a command, which is killed at the deadline in force. That is a
// failure only where nothing is seen of what it was to do.
func (p *Peer) startCommand(ctx context.Context, s Ask, run func(context.Context) error) {
	var deadline time.Time
	p.update(func() {
		p.recording.note(p.now(), Local, EventCommand, "run the command for "+s.Command)
		deadline = p.live.deadline
		p.live.commandsRunning++
	})
	p.commands.Go(func() {
		timed, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		err := run(timed)
		p.update(func() {
			p.live.commandsRunning--
			switch seen := p.live.closes > 0 || p.live.ending != Open; {
			case err == nil:
				p.recording.note(p.now(), Local, EventCommand, "the command is done")
			case ctx.Err() != nil: // the run is ending, or another command has failed
			case timed.Err() != nil && seen:
				p.recording.note(p.now(), Local, EventCommand, "the command still ran, and was killed")
			default:
				p.live.commandErr = fmt.Errorf("%s: %w", s, err)
				p.stop(p.live.commandErr)
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

// SlowReading reads from now on Bytes at most, then nothing for Every.
type SlowReading struct {
	Bytes int
	Every time.Duration
}

// Do implements [Step].
func (s SlowReading) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.recording.note(p.now(), Local, EventReading, s.String()) })
	p.wire.slowReading(s)
	return nil
}

func (s SlowReading) String() string { return fmt.Sprintf("read %d bytes every %s", s.Bytes, s.Every) }

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
