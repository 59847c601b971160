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
		Text:  "a server that stops tells every open peer by a Close frame; none is cut silently",
		Check: everyoneWarned,
	}
	ShutdownCode = Rule{
		ID: "R34-code", Req: "R34", Grade: Should, Clause: "RFC 6455, 7.4.1",
		Text:  "the Close frame of a server that stops has 1001, or a declared code",
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
		Text:  "who connects during the stop is refused, or told; none is accepted and forgotten",
		Check: noneForgotten,
	}
	CutWhen = Rule{
		ID: "R34-ends", Req: "R34", Grade: Info, Clause: "operational",
		Text: "what each kind of peer was told, and how its connection ended",
		Check: func(r *evidence.Record, _ Profile) Finding {
			if len(r.Crowd) == 0 {
				return measured("there is no crowd")
			}
			return measured(endsByKind(r))
		},
	}
)

// canSeeClose tells whether a peer of the crowd could see a Close frame: it was open,
// reads, and is not dark.
func canSeeClose(r *evidence.Record) bool {
	return r.Status == 101 && r.Ending != peers.Unseen && r.Kind != "stops-reading"
}

func everyoneWarned(r *evidence.Record, _ Profile) Finding {
	open, told := 0, 0
	ends := map[string]int{}
	for _, c := range r.Everyone() {
		if !canSeeClose(c) || c.Kind == evidence.Connecting {
			continue
		}
		open++
		if len(c.Closes) > 0 {
			told++
		} else {
			ends[string(c.Ending)]++
		}
	}
	if open == 0 {
		return moot("no peer that could see a Close frame")
	}
	got := fmt.Sprintf("%d of %d were told", told, open)
	for _, how := range slices.Sorted(maps.Keys(ends)) {
		got += fmt.Sprintf(", %d saw none (%s)", ends[how], how)
	}
	return judged(told == open, "a Close frame for "+recipients(r, open), got)
}

// recipients names the peers that are to be told: those of the crowd, which is as large as
// the user said, and the one that asked the server to stop.
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
		return breached("the exit "+within(limit), "still running after "+figures.Format(e.At)+", killed")
	case e.Left:
		return breached("the exit of all "+within(limit), "the process exited at "+figures.Format(e.At)+", what it had started still ran after "+figures.Format(e.Gone)+", killed")
	case e.Gone > e.At:
		return judged(e.Gone <= limit, "the exit of all "+within(limit), "the exit at "+figures.Format(e.At)+", of all that it had started at "+figures.Format(e.Gone))
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
			outcomes["not come when the patience was over"]++
		case c.Refused:
			outcomes["refused"]++
		case c.Status != 0 && c.Status != 101:
			outcomes[fmt.Sprintf("HTTP %d", c.Status)]++
		case c.Status == 101 && len(c.Closes) > 0:
			outcomes["accepted and told"]++
		case c.Status == 0 && ended(c) && c.Connected != nil && c.EndedAt-*c.Connected <= p.ResponseLimit():
			outcomes["cut before the response"]++ // as a refusal that came late
		case c.Status == 101:
			outcomes["accepted and cut without a Close ("+string(c.Ending)+")"]++
			forgotten++
		default:
			outcomes["left without an answer ("+string(c.Ending)+")"]++
			forgotten++
		}
	}
	if len(outcomes) == 0 {
		return moot("nobody connected")
	}
	return judged(forgotten == 0, "each is refused, told, or answered with an HTTP status", formatCounts(outcomes))
}

// endsByKind tells for each kind of peer what it was told, and when the last one's
// TCP had ended.
func endsByKind(r *evidence.Record) string {
	type group struct {
		n, told int
		ends    map[string]int
		last    time.Duration
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
			g.told++
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
		text := fmt.Sprintf("%s: %d of %d told, %s", kind, g.told, g.n, formatCounts(g.ends))
		if g.ends["refused"] < g.n {
			text += ", the last gone at " + figures.Format(g.last)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}
