package peers

import (
	"context"
	"strings"
)

// awaited is a step that waits for a message of the server.
type awaited interface{ matches(m Message) bool }

// expected is a message that the run asks about. The first one that matches
// stays in the record, however many messages came before it: a bound of memory
// must not change what a step or a rule sees.
type expected struct {
	awaited
	came bool
}

// OpenedText is what a server that obeys the control contract sends first on a
// connection that was opened with ?finwait-open=COMMAND (docs/contract.md).
const OpenedText = "finwait:opened"

// largeEcho is the echo of a text that is too long to be kept whole.
type largeEcho int

func (n largeEcho) matches(m Message) bool { return m.Text && m.Length == uint64(n) }

// expect notes which messages the script awaits, before any can come.
func (p *Peer) expect(script Script) {
	if strings.Contains(p.opt.Query, "finwait-open=") {
		p.expected = append(p.expected, expected{awaited: AwaitText{OpenedText}})
	}
	for _, step := range script {
		switch s := step.(type) {
		case awaited:
			p.expected = append(p.expected, expected{awaited: s})
		case Send:
			for _, f := range s {
				if f.Opcode == OpText && len(f.Payload) >= keepMessage {
					p.expected = append(p.expected, expected{awaited: largeEcho(len(f.Payload))})
				}
			}
		}
	}
}

// take tells whether a message is the first one that something expected matches;
// p.mu is held.
func (p *Peer) take(m Message) (first bool) {
	for i := range p.expected {
		e := &p.expected[i]
		if _, answer := e.awaited.(*AwaitMatch); answer && !p.asked {
			continue
		}
		if !e.came && e.matches(m) {
			e.came, first = true, true
		}
	}
	return first
}

// awaitMessage waits until a message has come that the step matches.
func (p *Peer) awaitMessage(ctx context.Context, step awaited) error {
	came := false
	err := p.await(ctx, func() bool {
		for _, e := range p.expected {
			came = came || e.came && e.awaited == step
		}
		return came || p.over()
	})
	if err == nil && !came {
		return errOver
	}
	return err
}
