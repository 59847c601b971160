package page

import (
	"net/http"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
)

// life is a lifetime of a scenario: what is known of it, and a bar on a time axis,
// in per cent of that.
type life struct {
	Name, Text    string
	Bar           bool    // false: there is nothing to draw
	Width, Orphan float64 // Orphan begins where Width ends
	Open          bool    // it was not over when finwait stopped looking

	end, freed float64 // seconds since the trigger; freed: where the kernel kept an orphan
}

// End is where the bar ends.
func (l life) End() float64 { return l.Width + l.Orphan }

// tick is a mark of the axis.
type tick struct {
	At   float64 // per cent
	Text string
}

// lives are the three lifetimes since the trigger: TCP on the wire, until the
// application's close event, and the server's socket. told: the target reports
// its close events.
func lives(s *reports.Scenario, told bool) ([]life, []tick) {
	if s.Wire == nil {
		return nil, nil
	}
	out := []life{wireLife(s.Wire), applicationLife(s, told), socketLife(s.Socket)}
	end := 0.001
	for _, l := range out {
		end = max(end, l.end, l.freed)
	}
	const least = 1 // what is shorter could not be seen
	for i, l := range out {
		if l.Bar {
			out[i].Width = max(100*l.end/end, least)
			out[i].Orphan = max(100*l.freed/end-out[i].Width, 0)
		}
	}
	var axis []tick
	for i := range 5 {
		at := float64(i) / 4
		axis = append(axis, tick{100 * at, timeText(end * at)})
	}
	return out, axis
}

// wireLife is that of TCP as the peer saw it.
func wireLife(w *reports.Wire) life {
	l := life{Name: "wire", Bar: true, end: w.EndedAt}
	switch w.Ending {
	case "fin":
		l.Text = "FIN at " + timeText(w.EndedAt)
		if w.RST != nil {
			l.Text += ", then RST at " + timeText(*w.RST)
		}
	case "rst":
		l.Text = "RST at " + timeText(w.EndedAt)
	case "open":
		l.Open, l.Text = true, "still open after "+timeText(w.EndedAt)
	case "unseen": // the bar ends where the peer saw the last
		l.Open, l.Text = true, "end not seen by the peer"
		switch {
		case w.Dark != nil:
			l.end, l.Text = *w.Dark, "end not seen: the peer was dark"
		case w.PeerRST != nil:
			l.end, l.Text = *w.PeerRST, "end not seen: the peer had sent RST"
		case w.PeerFIN != nil:
			l.end, l.Text = *w.PeerFIN, "end not seen: the peer had closed its socket"
		}
	default:
		l.Text = "the connection broke at " + timeText(w.EndedAt)
	}
	return l
}

// applicationLife lasts until the first close event. One that came when finwait
// had stopped looking is the work of its own RST, and the life is censored.
func applicationLife(s *reports.Scenario, told bool) life {
	l := life{Name: "application"}
	switch {
	case len(s.Events) > 0:
		at, dated := since(s, s.Events[0])
		switch {
		case !dated:
			l.Text = eventText(s.Events[0]) + "; when is not known"
		case late(s, at):
			l.Bar, l.Open, l.end, l.Text = true, true, s.Wire.Stopped, "no close event before "+timeText(s.Wire.Stopped)
		default:
			l.Bar, l.end, l.Text = true, at, "close event at "+timeText(at)
		}
	case !told:
		l.Text = "not observed: the target does not report its close events"
	case s.Error != "":
		l.Text = "not observed: the scenario was not carried out"
	case s.Exit != nil:
		l.Text = "not observed: a server that has stopped cannot be asked"
	case s.Wire.Status != http.StatusSwitchingProtocols:
		l.Text = "none: no WebSocket connection was opened"
	default:
		l.Bar, l.Open, l.end, l.Text = true, true, s.Wire.Stopped, "no close event before "+timeText(s.Wire.Stopped)
	}
	return l
}

// socketLife is that of the server's socket.
func socketLife(s *reports.Socket) life {
	l := life{Name: "socket"}
	switch {
	case s == nil:
		l.Text = "not observed"
	case !s.Observed || s.Held == nil:
		l.Text = "not observed: " + strings.TrimPrefix(s.Why, "server sockets are not observed: ")
	default:
		l.Bar, l.Open, l.end, l.Text = true, s.Held.Censored, s.Held.Until, "held "+s.Held.String()
		if o := s.Orphan; o != nil {
			l.Text += "; as an orphan there until " + o.String()
			l.Open, l.freed = o.Censored, o.Until
		}
	}
	return l
}

// since is when an event came, since the trigger; false: its time is not told, or
// is that of a clock that is not this host's.
func since(s *reports.Scenario, e reports.AppEvent) (float64, bool) {
	if e.At == nil || s.Wire == nil || s.Socket == nil || !s.Socket.Observed {
		return 0, false
	}
	return e.At.Sub(s.Wire.Trigger).Seconds(), true
}

// late tells whether an event came when finwait had stopped looking, and so had
// ended the connection. Libraries date events to the millisecond.
func late(s *reports.Scenario, at float64) bool {
	precision := 0.0
	if s.Socket.Held != nil && s.Socket.Held.Censored {
		precision = time.Millisecond.Seconds()
	}
	return at >= s.Wire.Stopped-precision
}

func timeText(s float64) string { return figures.Format(seconds(s)) }
