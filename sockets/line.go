package sockets

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// StreamFormat and StreamVersion name the format of [Observer.Stream], which its first line has.
// A version only gains fields and events.
const (
	StreamFormat  = "finwait-observe"
	StreamVersion = 1
)

// line is one line of a stream: the first one, with Format; an answer, with Sync; or an Event.
// Times are nanoseconds on the observer's monotonic clock, since its start.
type line struct {
	Format  string   `json:"format,omitempty"`
	Version int      `json:"version,omitempty"`
	Ports   []uint16 `json:"ports,omitempty"`

	Sync int64  `json:"sync,omitempty"` // the number of the request, from 1
	At   *int64 `json:"at,omitempty"`

	Event  event          `json:"event,omitempty"`
	Socket uint64         `json:"socket,omitempty"` // the socket's cookie (SO_COOKIE in socket(7))
	Server netip.AddrPort `json:"server,omitzero"`
	Peer   netip.AddrPort `json:"peer,omitzero"`
	State  string         `json:"state,omitempty"`
	Held   bool           `json:"held,omitempty"`
	Mini   bool           `json:"mini,omitempty"`  // see [Transition]
	Bound  int64          `json:"bound,omitempty"` // it happened in [At-Bound, At]
	Why    string         `json:"why,omitempty"`   // of a loss

	came time.Time // when it was read
}

type event string

const (
	stateEvent    event = "state"    // Held: a process holds the socket
	acceptedEvent event = "accepted" // a process has, or had, the socket
	releasedEvent event = "released" // no process holds it any more
	freedEvent    event = "freed"    // the kernel has freed it
	lostEvent     event = "lost"     // ends of sockets may be missing
)

// order is what a stream is told, one a line.
type order struct {
	Sync   int64  `json:"sync,omitempty"`   // answer with this number and the time
	Urgent uint64 `json:"urgent,omitempty"` // query this socket in every round: see [Watch.Urgent]
}

const mostLineBytes = 4096 // of one line, either way

// parseLine reads one line of a stream. It accepts what a later version adds, and nothing that
// cannot be: the error says what.
func parseLine(text []byte) (line, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("a line that is no JSON of this format: %.80q", text)
	}
	switch {
	case l.Format != "":
		return l, l.checkFormat()
	case l.At == nil && l.Sync != 0:
		return l, errors.New("it gets back what it is sent: leave out the terminal (-t)")
	case l.At == nil || *l.At < 0 || l.Bound < 0 || l.Bound > *l.At || l.Sync < 0:
		return l, fmt.Errorf("a time that cannot be: %.80q", text)
	case l.Sync != 0, l.Event == lostEvent:
		return l, nil
	}
	switch l.Event {
	case stateEvent, acceptedEvent, releasedEvent, freedEvent:
		if l.Socket == 0 || !l.Peer.IsValid() || len(l.State) > 20 {
			return l, fmt.Errorf("an event of no socket: %.80q", text)
		}
		l.Peer = withoutZone(netip.AddrPortFrom(l.Peer.Addr().Unmap(), l.Peer.Port()))
	}
	return l, nil
}

// checkFormat checks the first line.
func (l *line) checkFormat() error {
	switch {
	case l.Format != StreamFormat:
		return fmt.Errorf("the format %.40q and not %s: does the command run finwait observe?", l.Format, StreamFormat)
	case l.Version != StreamVersion:
		return fmt.Errorf("version %d of %s, and this finwait reads version %d: use the same finwait on both sides",
			l.Version, StreamFormat, StreamVersion)
	}
	return nil
}

// at is the time of the line, since the observer's start.
func (l *line) at() time.Duration { return time.Duration(*l.At) }

// earliest is the moment since which that may have happened.
func (l *line) earliest() time.Duration { return l.at() - time.Duration(l.Bound) }
