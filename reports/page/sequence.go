package page

import (
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
)

// life is a bar on the time axis of a scenario, in per cent of it.
type life struct {
	Name, Text    string
	Width, Orphan float64 // Orphan begins where Width ends
	Open          bool    // it was not over when finwait stopped looking
}

// tick is a mark of the axis.
type tick struct {
	At   float64 // per cent
	Text string
}

// lives are the three lifetimes since the trigger: TCP on the wire, until the
// application's close event, and the server's socket.
func lives(s *reports.Scenario) ([]life, []tick) {
	var out []life
	var ends []float64
	add := func(l life, end float64) {
		out, ends = append(out, l), append(ends, max(end, 0))
	}
	if w := s.Wire; w != nil {
		open := w.Ending == "open"
		add(life{Name: "wire", Text: w.Ending + " at " + harness.Format(seconds(w.EndedAt)), Open: open}, w.EndedAt)
	}
	observed := s.Socket != nil && s.Socket.Observed // so the server has the clock of this host
	if s.Wire != nil && observed && len(s.Events) > 0 && s.Events[0].At != nil {
		at := s.Events[0].At.Sub(s.Wire.Trigger).Seconds()
		add(life{Name: "application", Text: "close event at " + harness.Format(seconds(at))}, at)
	}
	orphan := 0.0
	if held := s.Held(); held != nil {
		l := life{Name: "socket", Text: "held " + held.String(), Open: held.Censored}
		if o := s.Socket.Orphan; o != nil {
			l.Text += "; orphan " + o.String()
			l.Open, orphan = o.Censored, o.Until
		}
		add(l, held.Until)
	}
	if out == nil {
		return nil, nil
	}
	end := max(slices.Max(ends), ends[len(ends)-1]+orphan, 0.001)
	for i := range out {
		out[i].Width = 100 * ends[i] / end
	}
	out[len(out)-1].Orphan = 100 * orphan / end
	var axis []tick
	for i := range 5 {
		at := float64(i) / 4
		axis = append(axis, tick{100 * at, harness.Format(seconds(end * at))})
	}
	return out, axis
}

// row is a line of the sequence of a scenario: what the peer did without a
// packet, what went over the wire, what became of the server's socket and what
// its application was told.
type row struct {
	at                 float64
	Time               string // filled in by fold
	Peer, Wire, Server string
	Way                string // of what went over the wire: "out" towards the server, "in"
	Dark               bool   // what came from the server was lost
}

// rows put the trace, the states of the server's socket and its application's
// events in the order of time.
func rows(s *reports.Scenario) []row {
	var out []row
	for _, e := range s.Trace {
		r := row{at: e.At}
		switch e.Dir {
		case "sent":
			r.Wire, r.Way = e.What, "out"
		case "received":
			r.Wire, r.Way = e.What, "in"
		default:
			r.Peer = e.What
		}
		out = append(out, r)
	}
	observed := s.Socket != nil && s.Socket.Observed
	if observed {
		accepted := false
		for _, st := range s.Socket.States {
			name := "socket " + st.Name
			switch accepted = accepted || st.Held; {
			case !accepted:
				name += ", not accepted yet"
			case !st.Held:
				name += ", an orphan"
			}
			out = append(out, row{at: st.At, Server: name})
		}
		if h := s.Socket.Held; h != nil && !h.Censored {
			out = append(out, row{at: h.Until, Server: "the process lets go of the socket"})
		}
	}
	for _, e := range s.Events {
		if observed && s.Wire != nil && e.At != nil {
			out = append(out, row{at: e.At.Sub(s.Wire.Trigger).Seconds(), Server: eventText(e)})
		}
	}
	if s.Exit != nil {
		out = append(out, row{at: s.Exit.At, Server: "process: " + s.Exit.String()})
	}
	slices.SortStableFunc(out, func(a, b row) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	for i := range out {
		out[i].Dark = s.Wire != nil && s.Wire.Dark != nil && out[i].at >= *s.Wire.Dark
	}
	out = fold(out)
	if s.Elided > 0 {
		out = append(out, row{Peer: fmt.Sprintf("%d more events", s.Elided)})
	}
	return out
}

// fold writes the times, and makes one row of many that say the same.
func fold(rows []row) []row {
	var out []row
	for len(rows) > 0 {
		one, n := rows[0], 1
		for ; n < len(rows) && rows[n].says(one); n++ {
		}
		one.Time = harness.Format(seconds(one.at))
		if n > 1 {
			one.Time += " to " + harness.Format(seconds(rows[n-1].at))
			for _, text := range []*string{&one.Peer, &one.Wire, &one.Server} {
				if *text != "" {
					*text += fmt.Sprintf(", %d times", n)
				}
			}
		}
		out, rows = append(out, one), rows[n:]
	}
	return out
}

// says tells whether both rows say the same, at whatever time.
func (r row) says(o row) bool {
	r.at = o.at
	return r == o
}

// eventText is a close event in words.
func eventText(e reports.AppEvent) string { return "event: " + harness.AppEvent(e).String() }
