package peers

import (
	"context"
	"net/netip"
	"time"
)

// Kind is how a peer of a [Swarm] behaves. Until the trigger all of them are
// polite: they read, and answer each Ping.
type Kind string

// The kinds. A peer that the server closes on answers its Close frame, and sends
// FIN behind the server's, unless its kind says otherwise. Where the peers close,
// each sends a Close frame with 1000 at the trigger, unless its kind says
// otherwise.
const (
	Polite       Kind = "polite"        // answers, and ends TCP
	Ignores      Kind = "ignores"       // ignores the server's Close and its FIN
	NoFIN        Kind = "no-fin"        // answers the Close, never sends FIN
	Vanishes     Kind = "vanishes"      // goes dark at the trigger, without a packet
	StopsReading Kind = "stops-reading" // sends 128 KiB of text before the trigger, and reads none of what comes back
	Resets       Kind = "resets"        // sends RST: in answer to the Close, or at the trigger
)

// Kinds are all of them.
var Kinds = []Kind{Polite, Ignores, NoFIN, Vanishes, StopsReading, Resets}

// Swarm is thousands of peers on one event loop, a few hundred bytes each: what
// a scenario's peers are too rich for. It speaks ws:// only.
type Swarm struct {
	Options                           // URL and Header; Setup limits each opening, Patience all that follows the trigger
	Server   netip.AddrPort           // where URL's host is
	Peers    []Kind                   // one for each
	AtOnce   int                      // how many are being opened at the same time; default 64
	Hold     time.Duration            // how long all are held, from the last opening to the trigger
	Progress func(opened, failed int) // called after each opening; may be nil

	// Trigger makes the server close, and tells when that began; it may go on for
	// longer, until ctx is done. nil: the peers close.
	Trigger func(ctx context.Context) (time.Time, error)

	// Joined is called with each peer's address before it sends anything; nil
	// where nobody observes the server's sockets. Who does calls what Started was
	// given: released for each that the server let go of, lost where it cannot see
	// the others any more, which are then not waited for.
	Joined  func(peer netip.AddrPort)
	Started func(released func(peer netip.AddrPort, at time.Time, bound time.Duration), lost func())

	// LastLook is called when the patience is over, where not all have been let go; who observes
	// tells of each that was meanwhile. May be nil.
	LastLook func()
}

// Member is what became of one peer of a swarm. Times are since the swarm began;
// 0: that did not happen, or could not be seen.
type Member struct {
	Kind       Kind
	Peer       netip.AddrPort // zero: its turn to be opened did not come, or did not end
	Err        string         // why it could not be opened, or followed to its end
	EndedEarly bool           // the server ended it before the trigger
	Trigger    time.Duration  // of this peer; 0: it ended before that
	CloseAt    time.Duration  // the server's first Close frame
	Code       int            // its code; -1: it has none
	FIN, RST   time.Duration  // of the server
	Released   time.Duration  // the server's process let go of its socket
	Bound      time.Duration  // at most so long before that
	StoppedAt  time.Duration  // when it stopped looking
}

// Ending is how the server ended TCP, as this peer saw it first, and when since
// the trigger.
func (m *Member) Ending() (Ending, time.Duration) {
	switch {
	case m.FIN > 0 && (m.RST == 0 || m.FIN <= m.RST):
		return FIN, m.FIN - m.Trigger
	case m.RST > 0:
		return RST, m.RST - m.Trigger
	case m.Kind == Vanishes || m.Kind == Resets:
		return Unseen, m.StoppedAt - m.Trigger
	}
	return Open, m.StoppedAt - m.Trigger
}
