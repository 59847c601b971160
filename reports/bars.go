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
	label, figure := 0, 0 // columns; figure: of the longest interval
	for _, b := range bars[:min(most, len(bars))] {
		label = max(label, len(b.name()))
		if b.held.Interval() {
			figure = max(figure, len(b.figure()))
		}
	}
	label = min(label, t.o.Width/2)
	room := max(t.o.Width-label-max(figure+4, 14), 5)
	axis := bars[0].held.Until
	if figure > 0 {
		t.line("  ░: the process let go of the socket at some moment within it")
	}
	for _, b := range bars[:min(most, len(bars))] {
		length := max(1, int(float64(room)*b.held.Until/axis))
		drawn := strings.Repeat("█", length)
		switch {
		case b.held.Censored:
			drawn = strings.Repeat("█", length-1) + "▶"
		case b.held.Interval():
			sure := min(int(float64(room)*b.held.Earliest()/axis), length-1)
			drawn = strings.Repeat("█", sure) + strings.Repeat("░", length-sure)
		}
		t.line("  %-*s %s %s", label, Clip(b.name(), label), drawn, b.figure())
	}
	if more := len(bars) - most; more > 0 {
		t.line("  and %d more that ended sooner", more)
	}
}

// figure is how long the sockets of the bar were held, in words.
func (b *bar) figure() string {
	if b.held.Interval() {
		return b.held.String()
	}
	return Survival{Until: b.held.Until, Censored: b.held.Censored}.String()
}

func (b *bar) name() string { return OneLine(name(b.pattern, b.ids)) }

// addToBar adds a socket to the bar of those that lived as long, within a tenth, or to a
// new bar.
func addToBar(bars []*bar, id string, held Survival) []*bar {
	for _, b := range bars {
		apart := math.Abs(b.held.Until - held.Until)
		alike := b.held.Censored == held.Censored && b.held.Interval() == held.Interval()
		if b.pattern == pattern(id) && alike && apart <= b.held.Until/10 {
			b.ids = append(b.ids, id)
			earliest := min(b.held.Until-b.held.Bound, held.Until-held.Bound)
			b.held.Until = max(b.held.Until, held.Until)
			if b.held.Interval() {
				b.held.Bound = b.held.Until - earliest
			}
			return bars
		}
	}
	return append(bars, &bar{pattern: pattern(id), ids: []string{id}, held: held})
}
