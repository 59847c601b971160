package evidence

import (
	"time"

	"github.com/finwait/finwait/peers"
)

// Record is everything that was seen of one scenario.
type Record struct {
	*peers.Record
	Socket Socket
	Events AppEvents // of the server's application
	Kind   string    // of a peer of a crowd
	Crowd  []*Record // of the scenario's crowd, in its order
	Exit   *Exit     // of the server that the scenario stopped; nil: it stopped none
	Alive  Liveness
	Has    map[Capability]bool // what the target and this host can do

	Token       string // names the connection to the application (?finwait=TOKEN); empty: it has none
	Unsupported bool   // a command of the user exited with 127: the server cannot do it
}

// Opened is when the peer was connected, where that was after the trigger; else 0.
func (r *Record) Opened() time.Duration {
	if r.Connected == nil {
		return 0
	}
	return max(0, *r.Connected)
}

// Everyone is the record with those of its crowd.
func (r *Record) Everyone() []*Record { return append([]*Record{r}, r.Crowd...) }

// Connecting is the kind of a peer that connects while the server is being stopped.
const Connecting = "connecting"

// Exit is the end of the server's process after it was asked to stop.
type Exit struct {
	Observed bool          // finwait started it; else the rest is zero
	At       time.Duration // since the trigger
	Killed   bool          // it still ran when the patience was over: At is when, and it was killed
	Status   int           // exit status; -1: a signal ended it
	Words    string        // the same in words
	Gone     time.Duration // when also what it had started had ended
	Left     bool          // what it had started still ran then, and was killed
	Output   string        // the last that it wrote
}

// Survival is a lifetime since the trigger with its error bound: the end lies
// in [Until-Bound, Until]. Censored: still alive at Until, when finwait stopped looking.
type Survival struct {
	Until    time.Duration
	Bound    time.Duration
	Censored bool
}

// Socket is the server's end of the connection, as this host's kernel told it
// (sock_diag(7)). Where Observed is false, Why says why and the rest is zero.
type Socket struct {
	Observed bool
	Why      string
	Accepted bool      // a process took it with accept(2)
	Held     Survival  // until the process let go of its descriptor
	Orphan   *Survival // from then until the kernel freed the socket; nil where it was freed at once or is still held
	TimeWait bool      // a TIME_WAIT entry was left
	State    string    // last state seen, e.g. "ESTABLISHED", "FIN_WAIT2"
	States   []State   // the way there
	Lost     bool      // the kernel dropped destroy events: an end may be missing
}

// State is one state of the server's socket, seen at At since the trigger.
type State struct {
	At   time.Duration
	Name string
	Held bool
}

// Liveness is the probe after a scenario: does the target still accept and answer?
type Liveness struct {
	Tried bool
	Short bool // this host lacked what the probe needs: it was not tried
	OK    bool
	Took  time.Duration
	Err   string
}

// ClipToExit dates the ends of sockets at the exit where they were seen later: a
// socket is let go of when its last process ends, at the latest.
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
