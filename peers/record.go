package peers

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

// Event is one line of the trace.
type Event struct {
	At   time.Duration // since the trigger; negative before it
	Dir  Dir
	What string // printable ASCII: what a server sent is quoted
}

// Close is one Close frame as it stood on the wire.
type Close struct {
	At    time.Duration // since the trigger; when its last byte was read or handed to the kernel
	Frame Header
	Body  []byte // at most 256 bytes are kept
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

// like tells whether two frames had the same bytes, as far as they are kept.
func (c Close) like(other Close) bool {
	return c.Frame == other.Frame && bytes.Equal(c.Body, other.Body)
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
	Payload []byte // at most 1 KiB is kept
}

// Record is what one peer saw. Times are since the trigger. A nil time means
// that it did not happen while the peer looked.
type Record struct {
	Peer, Server string    // addresses, host:port
	Start        time.Time // when the script began
	Trigger      time.Time // time zero
	Triggered    bool      // false: the script ended before its trigger; times are then since Start
	Refused      bool      // the connection that Knock wanted was refused

	// CutShort is the step that the patience ended in, with those behind it, which
	// the peer never came to; empty: the script was played to its end, or the
	// server ended it.
	CutShort Script

	// GaveUp: the peer reset the connection at Stopped although the server's socket
	// was, or may have been, still there. What the server does afterwards may be the
	// work of that RST.
	GaveUp bool

	Status      int            // HTTP status of the handshake; 0: none came
	CloseSent   []Close        // Close frames of the peer
	Closes      []Close        // Close frames of the server: the first 16, and at most 240 that differ from all before
	Connected   *time.Duration // when TCP was connected
	Messages    []Message      // data messages of the server: the first 64, and those that the script awaited
	Echoes      map[string]int // of each text of the peer below 1 KiB: how often it came back since the trigger, kept or not
	AfterClose  int            // data frames that followed the server's first Close
	Malformed   []string       // framing rules that the server broke; at most 16 are kept
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

	Trace   []Event // at most 512 events are kept
	Elided  int     // events left out of Trace
	Stopped time.Duration
	Err     string // why the script could not be carried out; empty if it was
	Failure error  // the same; a [Shortage] where the server has no part in it
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
