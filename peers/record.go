package peers

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Ending tells how the server ended TCP, as far as the peer saw it first.
type Ending string

// The endings. FIN and RST are never merged; the trace tells whether an RST
// followed a FIN.
const (
	Open   Ending = "open"   // still open when the peer stopped looking (censored)
	FIN    Ending = "fin"    // the server's FIN arrived
	RST    Ending = "rst"    // the server's RST arrived
	Broken Ending = "error"  // the connection failed for a local reason, e.g. EHOSTUNREACH
	Unseen Ending = "unseen" // the peer closed, reset or darkened its own end first and could not see it
)

// Dir tells who acted in an [Event].
type Dir string

// The directions of an event.
const (
	Sent     Dir = "sent"     // by the peer, towards the server
	Received Dir = "received" // from the server
	Local    Dir = "local"    // by the peer, without a packet
)

// EventKind tells what an [Event] is about.
type EventKind string

// The kinds of an event.
const (
	EventConnect     EventKind = "connect"      // TCP is connected, or could not be
	EventHandshake   EventKind = "handshake"    // the upgrade request, or the status of the response
	EventFrame       EventKind = "frame"        // frames without a Close, or a part of a frame
	EventClose       EventKind = "close"        // a Close frame; of the peer also with others in the same write
	EventMalformed   EventKind = "malformed"    // a framing rule that the server broke
	EventFIN         EventKind = "fin"          // FIN
	EventRST         EventKind = "rst"          // RST
	EventCloseNotify EventKind = "close-notify" // the end of TLS
	EventTLSFailed   EventKind = "tls-failed"   // TLS broke above a TCP that goes on
	EventEnd         EventKind = "end"          // TCP is closed in both directions, or broken for a local reason
	EventCommand     EventKind = "command"      // a command that [Ask] runs outside the connection
	EventReading     EventKind = "reading"      // the peer reads no more, or slowly
	EventDark        EventKind = "dark"         // from now on the kernel drops what the server sends
	EventDarkEnd     EventKind = "dark-end"     // it no longer does
	EventForgotten   EventKind = "forgotten"    // the peer's kernel has forgotten the connection
	EventProbe       EventKind = "probe"        // what a [Probe] asks, and what it found out
)

// Event is one line of the trace.
type Event struct {
	At   time.Duration // since the trigger; negative before it
	Dir  Dir
	Kind EventKind
	What string // printable ASCII, for people: what a server sent is quoted
}

// Close is one Close frame as it stood on the wire.
type Close struct {
	At    time.Duration // since the trigger; when its last byte was read or handed to the kernel
	Frame Header
	Body  []byte // at most 256 bytes; a Close frame of more than 125 bytes is malformed whatever they are
}

// Header is a frame header (RFC 6455, 5.2).
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits, RSV1 is 4
	Opcode byte
	Masked bool
	Length uint64 // announced payload length, bytes
}

// Code returns the close code, and false where the body holds none: an empty
// body, or one of a single byte. An explicit 0 is a code.
func (c Close) Code() (int, bool) {
	if len(c.Body) < 2 {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(c.Body)), true
}

// Reason returns the bytes behind the code; they need not be UTF-8.
func (c Close) Reason() string {
	if len(c.Body) < 2 {
		return ""
	}
	return string(c.Body[2:])
}

// MayBeSent tells whether a code may stand in a Close frame (RFC 6455, 7.4).
func MayBeSent(code int) bool {
	return code >= 1000 && (code < 1004 || code > 1006) && (code < 1015 || code >= 3000)
}

// String is the frame's line in a trace: close 1000 "bye".
func (c Close) String() string {
	code, ok := c.Code()
	switch {
	case ok && len(c.Body) > 2:
		return fmt.Sprintf("close %d %+q", code, clip(c.Reason(), 123))
	case ok:
		return fmt.Sprintf("close %d", code)
	case len(c.Body) == 1:
		return fmt.Sprintf("close with the 1-byte body %#02x", c.Body[0])
	}
	return "close without a code"
}

// Message is a data message of the server; a fragmented one counts once, when
// its last fragment was read.
type Message struct {
	At      time.Duration
	Text    bool
	Length  uint64
	Payload []byte // its beginning, see [Options.MessageBytes]
}

// Record is what one peer saw. Times are since the trigger. A nil time means
// that it did not happen while the peer looked. All but the lists is complete,
// however much a server sends; each list tells what is left out of it.
type Record struct {
	Peer, Server string    // addresses, host:port
	Start        time.Time // when the script began
	Trigger      time.Time // time zero
	Triggered    bool      // false: the script ended before its trigger; times are then since Start
	Refused      bool      // the connection that ConnectAfter wanted was refused

	// CutShort is the step that the patience, or a [Probe], ended in, with those behind it, which
	// the peer never came to; empty: the script was played to its end, or the
	// server ended it.
	CutShort Script

	// GaveUp: the peer reset the connection at Stopped although the server's socket
	// was, or may have been, still there. What the server does afterwards may be the
	// work of that RST.
	GaveUp bool

	Status      int            // HTTP status of the handshake; 0: none came
	AnsweredBy  string         // the Server and Via headers of the response, as printable ASCII: "Server: nginx/1.22.1"
	Connected   *time.Duration // when TCP was connected
	AfterClose  int            // data frames that followed the server's first Close
	NotObserved error          // why the server's socket is not observed, as [ServerSocket] told
	Ending      Ending         // the first end of TCP by the server
	EndedAt     time.Duration  // when; for Open: how long the peer had looked
	FIN         *time.Duration
	RST         *time.Duration
	CloseNotify *time.Duration // TLS only
	PeerFIN     *time.Duration // when the peer sent its own FIN
	PeerRST     *time.Duration // when the peer sent its own RST
	Dark        *time.Duration // when the peer went dark
	Dropped     uint32         // segments that reached the dark peer and were dropped by its kernel
	BytesRead   uint64

	// What became of each text of the peer; one below 1 KiB is recognized in full,
	// a longer one by its length. Whether a message was text or binary does not matter.
	Echoes  map[string]int           // of a short text: how often it came back since the trigger
	FirstAt map[string]time.Duration // when it first came, and when [OpenedText] did; not there: it never did
	Lengths map[uint64]int           // of a long text, by its length: how many messages of that length came since it was sent

	CloseSent     []Close   // Close frames of the peer: the first 16
	Closes        []Close   // Close frames of the server: the first 16, and the first of each that is malformed in another way
	Messages      []Message // data messages of the server: the first 64, of each at most 1 KiB
	Malformed     []string  // framing rules that the server broke: the first 16
	MoreCloseSent int       // those that are not in CloseSent
	MoreCloses    int
	MoreMessages  int
	MoreMalformed int

	Trace   []Event // at most 512 frames; of what is rarer, all
	Elided  int     // frames that are not in Trace
	Stopped time.Duration
	Err     string // why the script could not be carried out; empty if it was
	Failure error  // the same; a [Shortage] where the server has no part in it

	looks []Look
}

// BothClosed returns when the later of the two first Close frames passed, and
// false where one of them is missing.
func (r *Record) BothClosed() (time.Duration, bool) {
	if len(r.Closes) == 0 || len(r.CloseSent) == 0 {
		return 0, false
	}
	return max(r.Closes[0].At, r.CloseSent[0].At), true
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// snapshot is what was seen until now; its times are since the peer's start. p.mu is
// held.
func (p *Peer) snapshot() *Record {
	s, r := &p.live, &p.recording
	return &Record{
		Peer: s.peer, Server: s.server, Start: p.start, Trigger: p.start.Add(s.trigger), Triggered: s.triggered,
		Refused: s.refused, CutShort: s.cutShort, Status: s.status, AnsweredBy: s.answeredBy,
		Connected: s.connected, AfterClose: s.afterClose,
		Ending: s.ending, EndedAt: s.endedAt, FIN: s.fin, RST: s.rst, CloseNotify: s.closeNotify, PeerFIN: s.peerFIN, PeerRST: s.peerRST,
		NotObserved: p.sight.NotObserved, Dark: s.dark, Dropped: s.dropped, BytesRead: s.bytesRead,
		Echoes: maps.Clone(s.echoes), FirstAt: maps.Clone(s.firstAt), Lengths: maps.Clone(s.lengths),
		CloseSent: slices.Clone(r.closeSent), Closes: slices.Clone(r.closes), Messages: slices.Clone(r.messages), Malformed: r.malformed,
		MoreCloseSent: r.moreCloseSent, MoreCloses: r.moreCloses, MoreMessages: r.moreMessages, MoreMalformed: r.moreMalformed,
		Trace: r.trace, Elided: r.elided,
	}
}

// shift makes the times relative to the trigger.
func (r *Record) shift(by time.Duration) {
	for i := range r.CloseSent {
		r.CloseSent[i].At -= by
	}
	for i := range r.Closes {
		r.Closes[i].At -= by
	}
	for i := range r.Messages {
		r.Messages[i].At -= by
	}
	for i := range r.Trace {
		r.Trace[i].At -= by
	}
	for i := range r.looks {
		r.looks[i].Asked -= by
		r.looks[i].Answered -= by
	}
	for text := range r.FirstAt {
		r.FirstAt[text] -= by
	}
	for _, t := range []*time.Duration{r.Connected, r.FIN, r.RST, r.CloseNotify, r.PeerFIN, r.PeerRST, r.Dark, &r.EndedAt, &r.Stopped} {
		if t != nil {
			*t -= by
		}
	}
}
