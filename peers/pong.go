package peers

import (
	"context"
	"fmt"
)

// mayPong tells whether a well-behaved client would answer a Ping now: not
// after a Close frame, not inside a frame. p.mu is held.
func (p *Peer) mayPong() bool {
	s := &p.live
	return !s.noPong && s.unsent == nil && s.closeSent == 0 && s.closes == 0 &&
		s.peerFIN == nil && s.dark == nil && s.ending == Open
}

// pong answers the latest Ping (RFC 6455, 5.5.3) once nothing else is being
// written: a peer whose writes are stuck must go on reading.
func (p *Peer) pong() {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	payload, may := *p.live.ping, p.mayPong()
	p.live.ping = nil
	p.mu.Unlock()
	if !may {
		return
	}
	at := p.now()
	_ = p.wire.SetWriteDeadline(p.until())
	if _, err := p.wire.Write(Frame{Opcode: OpPong, Payload: payload}.Encode()); err == nil {
		p.update(func() {
			p.recording.noteBounded(at, Sent, EventFrame, fmt.Sprintf("pong %s", brief(payload, uint64(len(payload)))))
		})
	}
}

// NoPong answers no Ping from now on.
type NoPong struct{}

// Do implements [Step].
func (NoPong) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.live.noPong = true })
	return nil
}

func (NoPong) String() string { return "answer no ping" }
