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
