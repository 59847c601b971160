package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// shortest is the hang, in seconds, below which none is drawn.
const shortest = 0.1

// bar is how long one server socket was held, or several that were held about as long.
type bar struct {
	pattern string
	ids     []string
	held    Survival
}

// bars draws how long the process held the sockets, the longest first.
func (t *Terminal) bars(list []Scenario) {
	const most = 15
	var bars []*bar
	for i := range list {
		if held := list[i].Held(); held != nil && held.Until >= shortest {
			bars = addToBar(bars, list[i].ID, *held)
		}
	}
	if len(bars) == 0 {
		return
	}
	slices.SortStableFunc(bars, func(a, b *bar) int { return cmp.Compare(b.held.Until, a.held.Until) })
	t.line("\nhow long hanging sockets lived (held by the server's process, from the trigger)")
	label := 0
	for _, b := range bars[:min(most, len(bars))] {
		label = max(label, len(b.name()))
	}
	label = min(label, t.o.Width/2)
	room := max(t.o.Width-label-14, 5)
	axis := bars[0].held.Until
	for _, b := range bars[:min(most, len(bars))] {
		length := max(1, int(float64(room)*b.held.Until/axis))
		drawn := strings.Repeat("█", length)
		if b.held.Censored {
			drawn = strings.Repeat("█", length-1) + "▶"
		}
		t.line("  %-*s %s %s", label, Clip(b.name(), label), drawn, Survival{Until: b.held.Until, Censored: b.held.Censored})
	}
	if more := len(bars) - most; more > 0 {
		t.line("  and %d more that ended sooner", more)
	}
}

func (b *bar) name() string { return OneLine(name(b.pattern, b.ids)) }

// addToBar adds a socket to the bar of those that lived as long, within a tenth, or to a
// new bar.
func addToBar(bars []*bar, id string, held Survival) []*bar {
	for _, b := range bars {
		apart := math.Abs(b.held.Until - held.Until)
		if b.pattern == pattern(id) && b.held.Censored == held.Censored && apart <= b.held.Until/10 {
			b.ids = append(b.ids, id)
			b.held.Until = max(b.held.Until, held.Until)
			return bars
		}
	}
	return append(bars, &bar{pattern: pattern(id), ids: []string{id}, held: held})
}
