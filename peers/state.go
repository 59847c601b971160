package peers

import (
	"fmt"
	"time"
)

// state is what the steps of a script wait for and decide by, and what rules are
// judged on. It is complete: what it holds of a server that sends without end are
// counts, and the first of each thing that somebody asks about. No bound of the
// [recording] applies to it. Peer.mu guards it; its times are since the peer's start.
type state struct {
	deadline  time.Time // in force
	triggered bool
	trigger   time.Duration
	cutShort  Script

	peer, server string // addresses
	connected    *time.Duration
	refused      bool

	response     []byte // of the handshake, until it is complete
	key          string // Sec-WebSocket-Key
	status       int
	answeredBy   string // the Server and Via headers of the response
	upgraded     bool
	handshakeErr error

	ending                Ending // how the server ended TCP first
	endedAt               time.Duration
	fin, rst, closeNotify *time.Duration // of the server
	finArrived            time.Duration  // not later than fin: when the last segment with an ACK had come by then
	tcpClosed             bool           // in both directions
	serverGone            bool           // the server's socket is gone: ServerSocket.Gone was closed

	peerFIN, peerRST, dark *time.Duration // of the peer
	wasDark                *time.Duration // when the peer went dark first
	dropped                uint32         // segments that the kernel dropped while the peer was dark
	socketClosed           bool           // the peer closed its own descriptor

	closes     int   // Close frames of the server
	firstClose Close // where there is one; its body as in [Record.Closes]
	closeSent  int   // Close frames of the peer
	afterClose int   // data frames after the server's first Close frame

	bytesRead uint64
	messages  int                      // data messages of the server
	echoes    map[string]int           // by short text that the peer sent: how often it came back
	firstAt   map[string]time.Duration // by text: when it first came
	lengths   map[uint64]int           // by length of a long text that the peer sent: how many of that length came
	awaited   []awaitedMessage         // that steps of the script wait for
	asked     bool                     // Ask has asked for something
	askedAt   uint64                   // how many bytes had come by then

	ping         *[]byte // the payload of the latest Ping, while it is to be answered
	noPong       bool
	partialFrame Frame  // by SendPart
	unsent       []byte // the end of partialFrame; not nil: the peer stands inside a frame

	probeAt   time.Time      // when the peer breaks off its script and asks; zero: it does not
	probed    bool           // it has asked, or tried to
	askedData *time.Duration // when it sent the byte of a probe
	looks     []Look         // of the probe
	writes    writes

	commandsRunning int   // that Ask has started
	commandErr      error // why one of them failed
}

// observeEnd dates an end of TCP by the server.
func (p *Peer) observeEnd(at time.Duration, how Ending, kind EventKind, what string) {
	lastSegment := at - p.wire.sinceAck()
	p.update(func() {
		s := &p.live
		switch {
		case s.tcpClosed || how == FIN && s.fin != nil:
			return // TCP has ended both ways, or this is the FIN once more
		case how == FIN:
			s.fin, s.finArrived = &at, lastSegment
		case how == RST:
			s.rst = &at
		}
		s.tcpClosed = how != FIN // a FIN ends one direction, all else ends both
		if how == bothClosed {
			p.recording.note(at, Local, kind, what)
			return
		}
		p.recording.note(at, Received, kind, what)
		if s.ending == Open {
			s.ending, s.endedAt = how, at
		}
	})
}

func (p *Peer) observeCloseNotify(at time.Duration) {
	p.update(func() {
		p.live.closeNotify = &at
		p.recording.note(at, Received, EventCloseNotify, "TLS close_notify")
	})
}

// observeFrame takes a whole frame; the reading goroutine holds p.mu.
func (p *Peer) observeFrame(h Header, payload []byte) {
	at, s := p.readAt, &p.live
	switch {
	case h.Opcode == OpClose:
		c := Close{at, h, payload}
		if s.closes++; s.closes == 1 {
			s.firstClose = c
		}
		p.recording.addClose(c)
		return
	case h.Opcode < OpClose && s.closes > 0:
		s.afterClose++
	}
	what := opcodeName(h.Opcode)
	if h.Length > 0 {
		what += " " + brief(payload, h.Length)
	}
	if !h.Fin {
		what += " fin=0"
	}
	p.recording.noteBounded(at, Received, EventFrame, what)
	if h.Opcode == OpPing && h.Length <= 125 && p.mayPong() { // so many bytes are whole
		if s.ping == nil {
			p.reading.Go(p.pong)
		}
		s.ping = &payload
	}
}

// observeMessage takes a whole message; the reading goroutine holds p.mu.
func (p *Peer) observeMessage(m Message) {
	m.At = p.readAt
	s, text := &p.live, string(m.Payload)
	s.messages++
	if n, sent := s.echoes[text]; sent && s.triggered {
		s.echoes[text] = n + 1
	}
	if _, came := s.firstAt[text]; !came && (text == OpenedText || hasKey(s.echoes, text)) {
		s.firstAt[text] = m.At
	}
	if n, sent := s.lengths[m.Length]; sent {
		s.lengths[m.Length] = n + 1
	}
	s.match(m)
	p.recording.addMessage(m)
	if p.opt.Received != nil {
		p.opt.Received(m)
	}
}

func hasKey[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }

// observeMalformed takes a framing rule that the server broke; the reading goroutine
// holds p.mu.
func (p *Peer) observeMalformed(what string) { p.recording.addMalformed(p.readAt, what) }

// observeSent takes frames that the peer is about to send; p.mu is held.
func (p *Peer) observeSent(at time.Duration, frames []Frame) {
	for _, f := range frames {
		switch {
		case f.Opcode == OpClose:
			p.live.closeSent++
			h := Header{Fin: !f.Part, RSV: f.RSV, Opcode: OpClose, Masked: !f.Unmasked, Length: uint64(len(f.Payload))}
			p.recording.addCloseSent(Close{at, h, f.Payload})
		case f.Opcode == OpText && len(f.Payload) < shortText:
			p.live.echoes[string(f.Payload)] += 0 // from now on it is counted
		case f.Opcode == OpText:
			p.live.lengths[uint64(len(f.Payload))] += 0
		}
	}
}

// over tells whether nothing more can come on the wire.
func (s *state) over() bool { return s.ending != Open || s.serverGone && s.endIsHidden() }

// endIsHidden tells whether the peer cannot see an end of TCP.
func (s *state) endIsHidden() bool { return s.socketClosed || s.dark != nil }

// whyOver is the error of a step that could not be done because the connection was
// over.
func (p *Peer) whyOver() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s := &p.live; {
	case s.handshakeErr != nil:
		return s.handshakeErr
	case s.ending != Open, s.closes > 0:
		err := &EndedError{Ending: s.ending}
		if s.closes > 0 {
			err.Close = &s.firstClose
		}
		return p.hinted(err)
	case !s.upgraded && len(s.response) > 0:
		return fmt.Errorf("the handshake response has no end after %s", p.opt.Setup)
	}
	return p.hinted(&SilentError{Limit: p.opt.Setup})
}
