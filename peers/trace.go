package peers

import (
	"fmt"
	"slices"
	"time"
)

// Limits of a record; what a hostile server sends beyond them is counted.
const (
	keepMessages = 64
	keepFrames   = 512 // in the trace
	keepCloses   = 16

	// A server may hide a malformed Close frame behind many: one that is unlike all
	// that are kept is kept, too.
	keepOtherCloses = 256

	keepMalformed = 16
)

// note adds a line to the trace; p.mu is held. Of these there are few.
func (p *Peer) note(at time.Duration, dir Dir, what string) {
	p.rec.Trace = append(p.rec.Trace, Event{at, dir, what})
}

// noteFrame adds a frame to the trace, of which there may be any number; p.mu
// is held.
func (p *Peer) noteFrame(at time.Duration, dir Dir, what string) {
	if p.frames++; p.frames > keepFrames {
		p.rec.Elided++
		return
	}
	p.note(at, dir, what)
}

// onEnd dates an end of TCP by the server.
func (p *Peer) onEnd(at time.Duration, how Ending, what string) {
	dir := Received
	if how == bothClosed {
		dir = Local
	}
	p.update(func() {
		switch {
		case p.closed || how == FIN && p.rec.FIN != nil:
			return // nothing comes behind an RST
		case how == FIN:
			p.rec.FIN = &at
		case how == RST:
			p.rec.RST = &at
		}
		p.closed = how != FIN
		p.note(at, dir, what)
		if how != bothClosed && p.rec.Ending == Open {
			p.rec.Ending, p.rec.EndedAt = how, at
		}
	})
}

func (p *Peer) onCloseNotify(at time.Duration) {
	p.update(func() {
		p.rec.CloseNotify = &at
		p.note(at, Received, "TLS close_notify")
	})
}

// onFrame takes a whole frame; the reading goroutine holds p.mu.
func (p *Peer) onFrame(h Header, payload []byte) {
	at, r := p.readAt, p.rec
	if h.Opcode == OpClose {
		c := Close{at, h, payload}
		if len(r.Closes) < keepCloses || len(r.Closes) < keepOtherCloses && !slices.ContainsFunc(r.Closes, c.like) {
			r.Closes = append(r.Closes, c)
			p.note(at, Received, c.String())
		} else {
			r.Elided++
		}
		return
	}
	if h.Opcode < OpClose && len(r.Closes) > 0 {
		r.AfterClose++
	}
	what := opcodeName(h.Opcode)
	if h.Length > 0 {
		what += " " + brief(payload, h.Length)
	}
	if !h.Fin {
		what += " fin=0"
	}
	p.noteFrame(at, Received, what)
	if h.Opcode == OpPing && h.Length <= 125 && p.mayPong() {
		if p.ping == nil {
			p.reading.Go(p.pong)
		}
		p.ping = &payload
	}
}

func (p *Peer) onMessage(m Message) {
	m.At = p.readAt
	if n, sent := p.rec.Echoes[string(m.Payload)]; sent && p.rec.Triggered {
		p.rec.Echoes[string(m.Payload)] = n + 1
	}
	p.messages++
	if first := p.take(m); first || len(p.rec.Messages) < keepMessages {
		p.rec.Messages = append(p.rec.Messages, m)
	}
}

func (p *Peer) onMalformed(what string) {
	if len(p.rec.Malformed) < keepMalformed {
		p.rec.Malformed = append(p.rec.Malformed, what)
	}
	p.noteFrame(p.readAt, Received, "malformed: "+what)
}

// mayPong tells whether a well-behaved client would answer a Ping now: not
// after a Close frame, not inside a frame. p.mu is held.
func (p *Peer) mayPong() bool {
	return !p.noPong && p.rest == nil && len(p.rec.CloseSent) == 0 && len(p.rec.Closes) == 0 &&
		p.rec.PeerFIN == nil && p.rec.Dark == nil && p.rec.Ending == Open
}

// pong answers the latest Ping (RFC 6455, 5.5.3) once nothing else is being
// written: a peer whose writes are stuck must go on reading.
func (p *Peer) pong() {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	payload, may := *p.ping, p.mayPong()
	p.ping = nil
	p.mu.Unlock()
	if !may {
		return
	}
	at := p.now()
	_ = p.wire.SetWriteDeadline(p.until())
	if _, err := p.wire.Write(Frame{Opcode: OpPong, Payload: payload}.Encode()); err == nil {
		p.update(func() { p.noteFrame(at, Sent, fmt.Sprintf("pong %s", brief(payload, uint64(len(payload))))) })
	}
}
