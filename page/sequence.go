package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
)

// row is a row of a scenario's sequence table. Peer is what the peer did without sending a
// packet. Wire is what was sent or received. Server is a state of the server's socket, an event
// of its application, or the end of its process.
type row struct {
	at                 float64
	Time               string // filled in by mergeRepeats
	Peer, Wire, Server string
	Way                string // the direction of Wire: "out" to the server, "in" to the peer
	Dark               bool   // the peer was dark: packets from the server were lost
	kind               string // kind of the trace event
}

// rows returns the trace, the states of the server's socket and the application's events, in
// the order of time. Events without a time come last.
func rows(s *reports.Scenario) []row {
	var out, undated []row
	for _, e := range s.Trace {
		r := row{at: e.At, kind: e.Kind}
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
	if s.Socket != nil && s.Socket.Observed {
		out = append(out, socketRows(s.Socket)...)
	}
	for _, e := range s.Events {
		switch at, dated := since(s, e); {
		case !dated:
			undated = append(undated, row{Server: eventText(e)})
		case late(s, at):
			out = append(out, row{at: at, Server: eventText(e) + ", after finwait had stopped looking"})
		default:
			out = append(out, row{at: at, Server: eventText(e)})
		}
	}
	if s.Exit != nil {
		out = append(out, row{at: s.Exit.At, Server: "process: " + s.Exit.String()})
	}
	slices.SortStableFunc(out, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	markDark(out)
	out = append(mergeRepeats(out), undated...)
	if s.Elided > 0 {
		out = append(out, row{Peer: fmt.Sprintf("%d more events", s.Elided)})
	}
	return out
}

// socketRows returns the states of the server's socket, and its release by the process. If the
// error bound allows it, the release comes before the first state in which no process held the
// socket. TIME_WAIT is not an orphan: it is an entry with which the kernel replaces a socket,
// even if a process still holds that socket.
func socketRows(s *reports.Socket) []row {
	var states []row
	accepted, free := false, math.Inf(1) // when the socket was first seen without a process
	for _, st := range s.States {
		name := "socket " + st.Name
		accepted = accepted || st.Held
		if accepted && !st.Held {
			free = min(free, st.At)
		}
		switch {
		case st.Held || st.Name == "TIME_WAIT":
		case !accepted:
			name += ", not accepted yet"
		default:
			name += ", an orphan"
		}
		states = append(states, row{at: st.At, Server: name})
	}
	h := s.Held
	if h == nil || h.Censored {
		return states
	}
	release := row{at: h.Until, Server: "the server process releases the socket"}
	switch {
	case free < h.Until && free >= h.Until-h.Bound:
		release = row{at: free, Server: release.Server + ", seen at " + timeText(h.Until)}
	case h.Interval():
		release.Server = "by now the server process has let go of the socket"
	}
	return append([]row{release}, states...)
}

// markDark marks the rows in the time in which the peer was dark.
func markDark(rows []row) {
	dark := false
	for i, r := range rows {
		switch peers.EventKind(r.kind) {
		case peers.EventDark:
			dark = true
			continue
		case peers.EventDarkEnd:
			dark = false
		}
		rows[i].Dark = dark
	}
}

// mergeRepeats fills in the times, and merges consecutive rows with the same text.
func mergeRepeats(rows []row) []row {
	var out []row
	for len(rows) > 0 {
		one, n := rows[0], 1
		for ; n < len(rows) && rows[n].saysSame(one); n++ {
		}
		one.Time = figures.Format(seconds(one.at))
		if n > 1 {
			one.Time += " to " + figures.Format(seconds(rows[n-1].at))
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

// saysSame reports whether both rows are equal except for their times.
func (r row) saysSame(o row) bool {
	r.at = o.at
	return r == o
}

// eventText describes a close event.
func eventText(e reports.AppEvent) string { return "event: " + evidence.AppEvent(e).String() }
