package evidence

import (
	"time"

	"github.com/finwait/finwait/peers"
)

// Record is everything that was seen of one scenario, or of one peer of its crowd.
type Record struct {
	*peers.Record // what the peer saw; never nil

	Socket Socket
	Events AppEvents           // the close events of the server's application
	Kind   string              // the kind of a peer of a crowd, such as "polite"
	Crowd  []*Record           // the peers of the scenario's crowd, in its order
	Exit   *Exit               // the end of the server that the scenario stopped; nil: it stopped none
	Alive  Liveness            // the probe after the scenario
	Has    map[Capability]bool // what the target and this host can do

	Token       string // names the connection to the application (?finwait=TOKEN); empty: it has none
	Unsupported bool   // a command of the user exited with 127: the server cannot do it
}

// Opened is when the peer was connected, since the trigger. It is 0 where that was before.
func (r *Record) Opened() time.Duration {
	if r.Connected == nil {
		return 0
	}
	return max(0, *r.Connected)
}

// Everyone returns the record itself and those of its crowd.
func (r *Record) Everyone() []*Record { return append([]*Record{r}, r.Crowd...) }

// Connecting is the kind of a peer that connects while the server is being stopped.
const Connecting = "connecting"

// Exit is the end of the server's process after it was asked to stop.
type Exit struct {
	Observed bool          // finwait started the process; otherwise all else is zero
	At       time.Duration // when the process exited, since the trigger; where Killed, when it was killed
	Killed   bool          // the process still ran when the patience was over, and was killed
	Status   int           // exit status; -1: a signal ended the process
	Words    string        // how the process ended, in words: "exit status 1"
	Gone     time.Duration // when the last process that it had started had ended; where Left, when that was killed
	Left     bool          // a process that it had started still ran when the patience was over, and was killed
	Output   string        // the end of the process's output
}

// Witness is who told how long the server's process held its socket.
type Witness string

// The witnesses.
const (
	Kernel   Witness = "kernel"   // sock_diag(7) of the server's kernel and network namespace, which this host shares
	Observer Witness = "observer" // finwait observe, beside a server elsewhere; its clock is not this host's
	Probes   Witness = "probes"   // peers that each ask once on the wire: see [Combine]
)

// Socket is the server's end of the connection, as one witness reports it. Where it was not
// observed, Why says why, and all else is zero.
type Socket struct {
	Observed bool
	By       Witness
	Why      string
	Looks    []peers.Look // of Probes, in the order of their times
	Others   []Socket     // what further witnesses report
	Accepted bool         // a process took the connection with accept(2)
	Held     Survival     // until the last process let go of the socket
	Orphan   *Survival    // until the kernel freed a socket that no process held any more; nil: at once, or it is held
	TimeWait bool         // the kernel kept the connection in TIME_WAIT
	State    string       // the last state that was seen, such as "ESTABLISHED" or "FIN_WAIT2"
	States   []State      // all states that were seen, in their order
	Lost     bool         // the kernel dropped events of destroyed sockets, so that an end may be missing
}

// SameClock reports whether the times of the server's application are of this host's clock.
func (s Socket) SameClock() bool { return s.Observed && s.By == Kernel }

// State is a state of the server's socket, first seen at At since the trigger. Held: a
// process held the socket.
type State struct {
	At   time.Duration
	Name string
	Held bool
}

// Liveness is the probe after a scenario: does the target still accept and answer?
type Liveness struct {
	Tried bool
	Short bool          // this host lacked a resource that the probe needs, such as a descriptor; it was not tried
	OK    bool          // a new connection worked
	Took  time.Duration // how long that took
	Err   string        // why it did not work, or was not tried
}

// ClipToExit moves the end of a socket that was seen after the exit of the server to that
// exit: no process holds a socket for longer than it runs.
func (r *Record) ClipToExit() {
	e := r.Exit
	if e.Killed || e.Left {
		return
	}
	for _, c := range r.Everyone() {
		h, gone := &c.Socket.Held, r.Trigger.Add(e.Gone).Sub(c.Trigger)
		if earliest := h.Until - h.Bound; c.Socket.Observed && !h.Censored && earliest <= gone && gone < h.Until {
			h.Until, h.Bound = gone, gone-earliest
		}
	}
}
