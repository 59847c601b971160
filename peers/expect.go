package peers

import (
	"context"
	"fmt"
)

// messageStep is a step that waits for a message of the server.
type messageStep interface {
	matches(m Message) bool
	needs() int // bytes of a message that matches looks at
}

// awaitedMessage is what a step of the script waits for, and whether it has come:
// messages are compared as they come, and none has to be kept.
type awaitedMessage struct {
	step messageStep
	came bool
}

// OpenedText is what a server that obeys the control contract sends first on a
// connection that was opened with ?finwait-open=COMMAND (docs/contract.md).
const OpenedText = "finwait:opened"

// shortText: a text of fewer bytes is recognized in full when it comes back, a longer
// one by its length.
const shortText = 1 << 10

// awaitMessagesOf notes which messages the script waits for, before any can come.
func (p *Peer) awaitMessagesOf(script Script) {
	for _, step := range script {
		if s, ok := step.(messageStep); ok {
			p.live.awaited = append(p.live.awaited, awaitedMessage{step: s})
			p.decoder.messageBytes = max(p.decoder.messageBytes, s.needs())
		}
	}
}

// match notes which steps a message is for.
func (s *state) match(m Message) {
	for i := range s.awaited {
		a := &s.awaited[i]
		if _, answer := a.step.(*AwaitMatch); answer && !s.asked {
			continue
		}
		a.came = a.came || a.step.matches(m)
	}
}

// awaitMessage waits until a message has come that the step matches.
func (p *Peer) awaitMessage(ctx context.Context, step messageStep) error {
	var a *awaitedMessage
	for i := range p.live.awaited {
		if p.live.awaited[i].step == step {
			a = &p.live.awaited[i]
		}
	}
	if a == nil {
		return fmt.Errorf("%v is not a step of the script itself", step)
	}
	came := false
	err := p.await(ctx, func() bool { came = a.came; return came || p.live.over() })
	if err == nil && !came {
		return errOver
	}
	return err
}
