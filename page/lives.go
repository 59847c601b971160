package page

import (
	"net/http"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
)

// lifetime is how long something of a scenario lasted: in words, and as a bar whose
// lengths are per cent of the time axis.
type lifetime struct {
	Name, Text    string
	Bar           bool    // false: there is nothing to draw
	Width, Orphan float64 // Orphan begins where Width ends
	Open          bool    // it is censored: it had not ended when finwait stopped looking

	end   float64 // seconds since the trigger
	freed float64 // the same, when the kernel freed an orphan; 0: there was none
}

// End is where the bar ends.
func (l lifetime) End() float64 { return l.Width + l.Orphan }

// tick is a mark of the axis.
type tick struct {
	At   float64 // per cent
	Text string
}

// lifetimes are three, since the trigger: that of TCP on the wire, the time until the
// application's close event, and that of the server's socket. The target may not report
// its close events.
func lifetimes(s *reports.Scenario, tellsEvents bool) ([]lifetime, []tick) {
	if s.Wire == nil {
		return nil, nil
	}
	out := []lifetime{wireLife(s.Wire), applicationLife(s, tellsEvents), socketLife(s.Socket)}
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

// wireLife is how long TCP lasted, as the peer saw it.
func wireLife(w *reports.Wire) lifetime {
	l := lifetime{Name: "wire", Bar: true, end: w.EndedAt}
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

// applicationLife is the time until the first close event. An event that came after finwait
// had stopped looking was caused by finwait's own RST: the lifetime is censored.
func applicationLife(s *reports.Scenario, tellsEvents bool) lifetime {
	l := lifetime{Name: "application"}
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
	case !tellsEvents:
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

// socketLife is how long the server's process held its socket.
func socketLife(s *reports.Socket) lifetime {
	l := lifetime{Name: "socket"}
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

// since is when an event came, since the trigger. It is false where the event has no time,
// or the time of another host's clock.
func since(s *reports.Scenario, e reports.AppEvent) (float64, bool) {
	if e.At == nil || s.Wire == nil || s.Socket == nil || !s.Socket.Observed {
		return 0, false
	}
	return e.At.Sub(s.Wire.Trigger).Seconds(), true
}

// late tells whether an event came after finwait had stopped looking, and so had ended the
// connection. Libraries date events to the millisecond.
func late(s *reports.Scenario, at float64) bool {
	precision := 0.0
	if s.Socket.Held != nil && s.Socket.Held.Censored {
		precision = time.Millisecond.Seconds()
	}
	return at >= s.Wire.Stopped-precision
}

func timeText(s float64) string { return figures.Format(seconds(s)) }
