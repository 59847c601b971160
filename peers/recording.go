package peers

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// Limits of a recording. What a hostile server sends beyond them is counted.
const (
	keepFrames    = 512 // frames in the trace
	keepCloses    = 16  // of each side, and the first of each closeShape
	keepMessages  = 64
	keepPayload   = 1 << 10 // bytes of each message
	keepMalformed = 16
)

// recording is the evidence that a report shows of a peer. It is bounded, whatever a
// server sends. Only what observes the wire writes it; no step waits for it, and no
// verdict depends on how much of it was kept. Peer.mu guards it; its times are since
// the peer's start.
type recording struct {
	trace  []Event
	frames int // that are, or would be, in the trace
	elided int

	closeSent, closes           []Close
	shapes                      map[closeShape]bool // of the Close frames of the server
	messages                    []Message
	malformed                   []string
	moreCloseSent, moreCloses   int
	moreMessages, moreMalformed int
}

// note adds a line to the trace. Of these there are few.
func (r *recording) note(at time.Duration, dir Dir, kind EventKind, what string) {
	r.trace = append(r.trace, Event{At: at, Dir: dir, Kind: kind, What: what})
}

// noteBounded adds a line of which there may be any number, such as a frame.
func (r *recording) noteBounded(at time.Duration, dir Dir, kind EventKind, what string) {
	if r.frames++; r.frames > keepFrames {
		r.elided++
		return
	}
	r.note(at, dir, kind, what)
}

// closeShape is all that a rule may ask of a Close frame which is not the first: see
// the rules that range over [Record.Closes]. There are some hundred shapes. The first
// frame of each is kept, however many came before it, so that no server can hide a
// malformed one behind others.
type closeShape struct {
	header        Header // without its length
	length        int    // 0; 1; 2, for a code and a reason; 126, for more than a control frame may have
	utf8          bool   // the reason; where length is 126 it may be cut
	hasCode       bool
	codeMayBeSent bool
}

func (c Close) shape() closeShape {
	s := closeShape{header: c.Frame, length: int(min(c.Frame.Length, 2)), utf8: utf8.ValidString(c.Reason())}
	s.header.Length = 0
	if c.Frame.Length > 125 {
		s.length = 126
	}
	var code int
	if code, s.hasCode = c.Code(); s.hasCode {
		s.codeMayBeSent = MayBeSent(code)
	}
	return s
}

// addClose takes a Close frame of the server.
func (r *recording) addClose(c Close) {
	shape := c.shape()
	if len(r.closes) >= keepCloses && r.shapes[shape] {
		r.moreCloses++
		r.elided++
		return
	}
	if r.shapes == nil {
		r.shapes = map[closeShape]bool{}
	}
	r.shapes[shape] = true
	r.closes = append(r.closes, c)
	r.note(c.At, Received, EventClose, c.String())
}

// addCloseSent takes a Close frame of the peer. Of all but the first no rule asks
// anything.
func (r *recording) addCloseSent(c Close) {
	if len(r.closeSent) >= keepCloses {
		r.moreCloseSent++
		return
	}
	r.closeSent = append(r.closeSent, c)
}

func (r *recording) addMessage(m Message) {
	if len(r.messages) >= keepMessages {
		r.moreMessages++
		return
	}
	if len(m.Payload) > keepPayload {
		m.Payload = bytes.Clone(m.Payload[:keepPayload])
	}
	r.messages = append(r.messages, m)
}

func (r *recording) addMalformed(at time.Duration, what string) {
	if len(r.malformed) < keepMalformed {
		r.malformed = append(r.malformed, what)
	} else {
		r.moreMalformed++
	}
	r.noteBounded(at, Received, EventMalformed, "malformed: "+what)
}
