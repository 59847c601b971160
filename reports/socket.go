package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// Socket is the server's end of the connection, as one witness reported it.
type Socket struct {
	Observed bool      `json:"observed"`
	By       string    `json:"by,omitempty"` // "kernel", "observer", "probes"; empty in earlier reports: the kernel
	Why      string    `json:"why,omitempty"`
	Held     *Survival `json:"held,omitempty"`
	Orphan   *Survival `json:"orphan,omitempty"`
	TimeWait bool      `json:"timeWait"`
	State    string    `json:"state,omitempty"`
	States   []State   `json:"states,omitempty"`
	Lost     bool      `json:"lost,omitempty"`
	Looks    []Look    `json:"looks,omitempty"`  // of probes, in the order of their times
	Others   []Witness `json:"others,omitempty"` // what further witnesses reported
}

// State is one state of the server's socket.
type State struct {
	At   float64 `json:"at"`
	Name string  `json:"name"`
	Held bool    `json:"held"`
}

// Look is what one probe found out about the server's socket: held when Asked, or let go when
// Answered.
type Look struct {
	Asked    float64 `json:"asked"`
	Answered float64 `json:"answered"`
	State    string  `json:"state"` // "held", "let go", "unknown"
	How      string  `json:"how,omitempty"`
}

// Witness is a further one that reported how long the server's process held its socket. Where it
// did not find out, Held is nil, and Why says why.
type Witness struct {
	By    string    `json:"by"`
	Held  *Survival `json:"held,omitempty"`
	Why   string    `json:"why,omitempty"`
	Looks []Look    `json:"looks,omitempty"`
}

func newSocket(s evidence.Socket) *Socket {
	out := &Socket{
		Observed: s.Observed, By: string(s.By), Why: s.Why, TimeWait: s.TimeWait, State: s.State, Lost: s.Lost,
		Orphan: newSurvival(s.Orphan), Looks: newLooks(s.Looks),
	}
	if s.Observed {
		out.Held = newSurvival(&s.Held)
	}
	for _, st := range s.States {
		out.States = append(out.States, State{sec(st.At), st.Name, st.Held})
	}
	for _, o := range s.Others {
		w := Witness{By: string(o.By), Why: o.Why, Looks: newLooks(o.Looks)}
		if o.Observed {
			w.Held = newSurvival(&o.Held)
		}
		out.Others = append(out.Others, w)
	}
	return out
}

func newLooks(list []peers.Look) (out []Look) {
	for _, l := range list {
		out = append(out, Look{sec(l.Asked), sec(l.Answered), string(l.State), l.How})
	}
	return out
}

// SameClock tells whether the times of the server's application are of this host's clock.
func (s *Socket) SameClock() bool {
	return s != nil && s.Observed && (s.By == "" || s.By == string(evidence.Kernel))
}

// Witnesses are all that reported of the socket, the one whose figure is judged first.
func (s *Socket) Witnesses() []Witness {
	if s == nil {
		return nil
	}
	first := Witness{By: s.By, Why: s.Why, Looks: s.Looks}
	if s.Observed {
		first.Held = s.Held
	}
	if first.By == "" {
		first.By = string(evidence.Kernel)
	}
	return append([]Witness{first}, s.Others...)
}

// Told is [Socket.Witnesses] where that says more than the kernel's figure alone; else nil. What a
// probe saw before the trigger is left out: it says nothing of a lifetime since then.
func (s *Socket) Told() []Witness {
	if s == nil || len(s.Looks) == 0 && len(s.Others) == 0 && (s.SameClock() || !s.Observed) {
		return nil
	}
	list := s.Witnesses()
	for i := range list {
		list[i].Looks = slices.DeleteFunc(slices.Clone(list[i].Looks), func(l Look) bool { return l.Asked < 0 })
	}
	return list
}

// witnesses names who told how long sockets were held, in the order of the alphabet. Empty: nobody.
func (r *Report) witnesses() string {
	var out []string
	for i := range r.Scenarios {
		if s := &r.Scenarios[i]; s.Held() != nil {
			out = append(out, s.Socket.Witnesses()[0].By)
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// apart is how much two witnesses may differ beyond their bounds: each watches a connection of its
// own.
const apart = 50 * time.Millisecond

// Disagreements says of each two witnesses whose figures exclude each other what they report:
// "kernel: held 30.0 s; probes: let go between 27.0 s and 28.0 s".
func (s *Socket) Disagreements() (out []string) {
	list := slices.DeleteFunc(s.Witnesses(), func(w Witness) bool { return w.Held == nil })
	for i, a := range list {
		for _, b := range list[i+1:] {
			if a.Held.Excludes(*b.Held, apart) {
				out = append(out, a.says()+"; "+b.says())
			}
		}
	}
	return out
}

func (w Witness) says() string {
	if w.Held == nil {
		return w.By + ": not observed: " + w.Why
	}
	return w.By + ": " + w.Held.Held()
}

// String is a look in words: "asked at 13.0 s: held (ACK of one byte)".
func (l Look) String() string {
	asked, answered := figures.Format(duration(l.Asked)), figures.Format(duration(l.Answered))
	out := fmt.Sprintf("asked at %s: %s", asked, l.State)
	if l.State == string(peers.LetGo) && answered != asked {
		out += " by " + answered
	}
	if l.How != "" {
		out += " (" + l.How + ")"
	}
	return out
}

// socketLine is the life of a socket that was observed.
func socketLine(s *Socket) string {
	var parts []string
	accepted := false
	for _, st := range s.States {
		name := st.Name
		switch accepted = accepted || st.Held; {
		case st.Held || st.Name == "TIME_WAIT": // which is no orphan
		case !accepted:
			name += " (not accepted yet)"
		default:
			name += " (orphan)"
		}
		parts = append(parts, fmt.Sprintf("%s %s", figures.Format(duration(st.At)), name))
	}
	return strings.Join(append(parts, s.Held.Held()), ", ")
}

// witnessLines are what witnesses reported, a line each, the looks of probes below them. Without
// looks and further witnesses there are none.
func witnessLines(s *Socket) (out []string) {
	for _, w := range s.Told() {
		out = append(out, w.says())
		for _, l := range w.Looks {
			out = append(out, "  "+l.String())
		}
	}
	for _, d := range s.Disagreements() {
		out = append(out, "the witnesses disagree ("+d+")")
	}
	for i, line := range out {
		out[i] = OneLine(Clip(line, 400))
	}
	return out
}

// disagreements shows the scenarios whose witnesses disagree.
func (t *Terminal) disagreements(list []Scenario) {
	first := true
	for i := range list {
		for _, d := range list[i].Socket.Disagreements() {
			if first {
				t.line("\nwitnesses that disagree about how long the server's process held its socket")
				first = false
			}
			t.wrapped("  "+OneLine(list[i].ID)+": ", d)
		}
	}
}

// told says in a line who told how long the socket was held. Empty: the kernel, and nobody else.
func told(s *Socket) string {
	var out []string
	for _, w := range s.Told() {
		if w.Held != nil {
			out = append(out, w.says()+w.looks())
		}
	}
	if len(s.Disagreements()) > 0 {
		out = append(out, "they disagree")
	}
	return strings.Join(out, "; ")
}

// looks counts the looks, in brackets. Empty: there were none.
func (w Witness) looks() string {
	switch len(w.Looks) {
	case 0:
		return ""
	case 1:
		return " (1 look)"
	}
	return fmt.Sprintf(" (%d looks)", len(w.Looks))
}
