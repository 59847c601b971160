package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// Shutdown of the whole server: R34 to R37, judged over a crowd.
var (
	EveryoneWarned = Rule{
		ID: "R34", Req: "R34", Grade: Budget, Clause: "operational; RFC 6455, 7.4.1",
		Text:  "a server that stops sends every open peer a Close frame; no connection ends without one",
		Check: everyoneWarned,
	}
	ShutdownCode = Rule{
		ID: "R34-code", Req: "R34", Grade: Should, Clause: "RFC 6455, 7.4.1",
		Text:  "the Close frame of a server that stops has the code 1001, or a declared one",
		Check: shutdownCode,
	}
	Exits = Rule{
		ID: "R35", Req: "R35", Grade: Budget, Clause: "stop timeout",
		Text:  "the process exits within the limit, whatever its peers do",
		Check: exits,
	}
	ExitStatus = Rule{
		ID: "R36", Req: "R36", Grade: Should, Clause: "operational",
		Text:  "a graceful stop has exit status 0",
		Check: exitStatus,
	}
	NoneForgotten = Rule{
		ID: "R37", Req: "R37", Grade: Should, Clause: "operational",
		Text:  "whoever connects during the stop is refused, or gets an HTTP status or a Close frame; nobody is accepted and forgotten",
		Check: noneForgotten,
	}
	EndsByKind = Rule{
		ID: "R34-ends", Req: "R34", Grade: Info, Clause: "operational",
		Text: "how many peers of each kind received a Close frame, and how their connections ended",
		Check: func(r *evidence.Record, _ Profile) Finding {
			if len(r.Crowd) == 0 {
				return measured("there is no crowd")
			}
			return measured(endsByKind(r))
		},
	}
)

// canSeeClose reports whether a peer could see a Close frame: its handshake succeeded, it
// reads, and it is not dark.
func canSeeClose(r *evidence.Record) bool {
	return r.Status == 101 && r.Ending != peers.Unseen && r.Kind != "stops-reading"
}

func everyoneWarned(r *evidence.Record, _ Profile) Finding {
	open, warned := 0, 0
	ends := map[string]int{}
	for _, c := range r.Everyone() {
		if !canSeeClose(c) || c.Kind == evidence.Connecting {
			continue
		}
		open++
		if len(c.Closes) > 0 {
			warned++
		} else {
			ends[string(c.Ending)]++
		}
	}
	if open == 0 {
		return moot("no peer that could see a Close frame")
	}
	got := fmt.Sprintf("%d of %d peers received a Close frame", warned, open)
	for _, how := range slices.Sorted(maps.Keys(ends)) {
		got += fmt.Sprintf(", %d did not (%s)", ends[how], how)
	}
	return judged(warned == open, "a Close frame for "+recipients(r, open), got)
}

// recipients names the peers that should receive a Close frame: those of the crowd, which
// is as large as the user said, and the one that asked the server to stop. There are open
// of them.
func recipients(r *evidence.Record, open int) string {
	asked := canSeeClose(r)
	if asked {
		open--
	}
	crowd := fmt.Sprintf("each of the %d in the crowd", open)
	if open == 1 {
		crowd = "the one in the crowd"
	}
	if open < len(r.Crowd) {
		crowd += " that could see it"
	}
	switch {
	case asked && open == 0:
		return "the peer that asked, the only one that could see it"
	case asked:
		return crowd + " and the peer that asked"
	}
	return crowd
}

func shutdownCode(r *evidence.Record, p Profile) Finding {
	codes := append([]int{1001}, p.ShutdownCodes...)
	want := "close " + strings.Trim(strings.ReplaceAll(fmt.Sprint(codes), " ", " or "), "[]")
	seen, wrong := map[string]int{}, false
	for _, c := range r.Everyone() {
		if len(c.Closes) == 0 {
			continue
		}
		code, ok := c.Closes[0].Code()
		text := "no code"
		if ok {
			text = fmt.Sprint(code)
		}
		seen[text]++
		wrong = wrong || !ok || !slices.Contains(codes, code)
	}
	if len(seen) == 0 {
		return moot("no Close frame")
	}
	return judged(!wrong, want, formatCounts(seen))
}

// formatCounts writes counts: "49 x 1001, 1 x 1000".
func formatCounts(n map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d x %s", n[what], what))
	}
	return strings.Join(parts, ", ")
}

func exits(r *evidence.Record, p Profile) Finding {
	limit := p.StopLimit()
	switch e := r.Exit; {
	case e == nil || !e.Observed:
		return unmeasured(evidence.CanStop, "finwait did not start the process")
	case (e.Killed || e.Left) && e.Gone < limit: // patience is longer
		return moot("the run ended after " + figures.Format(e.Gone))
	case e.Killed:
		return breached("the exit "+within(limit), "still running after "+figures.Format(e.At)+", then killed")
	case e.Left:
		return breached("the exit of the process and of all that it started "+within(limit),
			"the process exited at "+figures.Format(e.At)+
				", but what it had started still ran after "+figures.Format(e.Gone)+" and was killed")
	case e.Gone > e.At:
		return judged(e.Gone <= limit, "the exit of the process and of all that it started "+within(limit),
			"the process exited at "+figures.Format(e.At)+", and the last that it had started at "+figures.Format(e.Gone))
	default:
		return judged(e.At <= limit, "the exit "+within(limit), "the exit at "+figures.Format(e.At))
	}
}

func exitStatus(r *evidence.Record, _ Profile) Finding {
	switch e := r.Exit; {
	case e == nil || !e.Observed:
		return unmeasured(evidence.CanStop, "finwait did not start the process")
	case e.Killed:
		return moot("it was killed")
	default:
		return judged(e.Status == 0, "exit status 0", e.Words)
	}
}

func noneForgotten(r *evidence.Record, p Profile) Finding {
	outcomes := map[string]int{}
	forgotten := 0
	for _, c := range r.Crowd {
		if c.Kind != evidence.Connecting {
			continue
		}
		switch {
		case len(c.CutShort) > 0:
			outcomes["not connected when the patience was over"]++
		case c.Refused:
			outcomes["refused"]++
		case c.Status != 0 && c.Status != 101:
			outcomes[fmt.Sprintf("HTTP %d", c.Status)]++
		case c.Status == 101 && len(c.Closes) > 0:
			outcomes["accepted, then sent a Close frame"]++
		case c.Status == 0 && ended(c) && c.Connected != nil && c.EndedAt-*c.Connected <= p.ResponseLimit():
			outcomes["ended before the response"]++ // a refusal that came late
		case c.Status == 101:
			outcomes["accepted, then ended without a Close frame ("+string(c.Ending)+")"]++
			forgotten++
		default:
			outcomes["left without an answer ("+string(c.Ending)+")"]++
			forgotten++
		}
	}
	if len(outcomes) == 0 {
		return moot("nobody connected")
	}
	return judged(forgotten == 0, "each is refused, or gets an HTTP status or a Close frame", formatCounts(outcomes))
}

// endsByKind says for each kind of peer how many received a Close frame, how TCP ended, and
// when the last connection ended.
func endsByKind(r *evidence.Record) string {
	type group struct {
		n, warned int
		ends      map[string]int
		last      time.Duration
	}
	groups := map[string]*group{}
	for _, c := range r.Crowd {
		g := groups[c.Kind]
		if g == nil {
			g = &group{ends: map[string]int{}}
			groups[c.Kind] = g
		}
		g.n++
		if len(c.Closes) > 0 {
			g.warned++
		}
		end := string(c.Ending)
		if c.Refused {
			end = "refused"
		}
		g.ends[end]++
		switch {
		case c.Refused: // it had no connection
		case c.Socket.Observed:
			g.last = max(g.last, c.Socket.Held.Until)
		default:
			g.last = max(g.last, c.EndedAt)
		}
	}
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(groups)) {
		g := groups[kind]
		text := fmt.Sprintf("%s: %d of %d received a Close frame, %s", kind, g.warned, g.n, formatCounts(g.ends))
		if g.ends["refused"] < g.n {
			text += ", the last ended at " + figures.Format(g.last)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}
