package page

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
)

// lifetime says how long TCP, the time until the close event, or the server's socket lasted. Text
// says it in words. The lengths of its bar are per cent of the time axis.
type lifetime struct {
	Name, Text    string
	Bar           bool    // false: there is nothing to draw
	Width, Orphan float64 // Orphan begins where Width ends
	Interval      bool    // the end is known only as an interval
	Open          bool    // the lifetime is censored: it had not ended when finwait stopped looking
	Doubt         float64 // how much of Width, at its end, is where the lifetime ended, and not known where
	Stripes       string  // the path that draws Doubt

	end   float64 // seconds from the trigger until the lifetime ended
	sure  float64 // seconds from the trigger until the lifetime can have ended, where that is another moment than end
	freed float64 // seconds from the trigger until the kernel freed an orphan; 0: there was no orphan
}

// Sure returns where the bar is no longer sure, in per cent of the time axis.
func (l lifetime) Sure() float64 { return l.Width - l.Doubt }

// End returns where the bar ends, in per cent of the time axis.
func (l lifetime) End() float64 { return l.Width + l.Orphan }

// tick is a mark on the time axis.
type tick struct {
	At   float64 // per cent
	Text string
}

// lifetimes returns three lifetimes that start at the trigger, and the marks of the time axis.
// They are TCP on the wire, the time until the application's close event, and the server's
// socket. tellsEvents says whether the target reports its close events.
func lifetimes(s *reports.Scenario, tellsEvents bool) ([]lifetime, []tick) {
	if s.Wire == nil {
		return nil, nil
	}
	out := []lifetime{wireLife(s.Wire), applicationLife(s, tellsEvents), socketLife(s.Socket)}
	end := 0.001
	for _, l := range out {
		end = max(end, l.end, l.freed)
	}
	const least = 1 // per cent: a shorter bar would be invisible
	for i, l := range out {
		if l.Bar {
			out[i].Width = max(100*l.end/end, least)
			out[i].Orphan = max(100*l.freed/end-out[i].Width, 0)
			if l.Interval {
				out[i].Doubt = out[i].Width - 100*l.sure/end
				out[i].Stripes = stripes(out[i].Sure(), out[i].Width)
			}
		}
	}
	var axis []tick
	for i := range 5 {
		at := float64(i) / 4
		axis = append(axis, tick{100 * at, timeText(end * at)})
	}
	return out, axis
}

// stripes returns the path of upright lines between two points of a bar.
func stripes(from, to float64) string {
	var b strings.Builder
	for x := from + 0.8; x < to; x++ {
		fmt.Fprintf(&b, "M%.1f 0v10", x)
	}
	return b.String()
}

// wireLife returns how long TCP lasted, as the peer saw it.
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
	case "unseen": // the bar ends at the last moment at which the peer could see the connection
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

// applicationLife returns the time until the first close event. If the event came after
// finwait had stopped looking, finwait's own RST caused it, and the lifetime is censored.
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

// socketLife returns how long the server process held its socket.
func socketLife(s *reports.Socket) lifetime {
	l := lifetime{Name: "socket"}
	switch {
	case s == nil:
		l.Text = "not observed"
	case !s.Observed || s.Held == nil:
		l.Text = "not observed: " + strings.TrimPrefix(s.Why, "server sockets are not observed: ")
	default:
		l.Bar, l.Open, l.end, l.Text = true, s.Held.Censored, s.Held.Until, s.Held.Held()
		l.Interval, l.sure = s.Held.Interval(), s.Held.Earliest()
		if !s.SameClock() {
			l.Text += ", as the " + s.By + " found"
		}
		if o := s.Orphan; o != nil {
			l.Text += "; as an orphan there until " + o.String()
			l.Open, l.freed = o.Censored, o.Until
		}
	}
	return l
}

// since returns the time of an event, in seconds from the trigger. It returns false if the
// event has no time, or if the time is from another host's clock.
func since(s *reports.Scenario, e reports.AppEvent) (float64, bool) {
	if e.At == nil || s.Wire == nil || !s.Socket.SameClock() {
		return 0, false
	}
	return e.At.Sub(s.Wire.Trigger).Seconds(), true
}

// late reports whether an event came after finwait had stopped looking and had ended the
// connection. The times of libraries have a precision of 1 ms.
func late(s *reports.Scenario, at float64) bool {
	precision := 0.0
	if s.Socket.Held != nil && s.Socket.Held.Censored {
		precision = time.Millisecond.Seconds()
	}
	return at >= s.Wire.Stopped-precision
}

func timeText(s float64) string { return figures.Format(seconds(s)) }
