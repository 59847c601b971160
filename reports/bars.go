package reports

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
)

// hangs below this are not drawn.
const shortest = 100 * time.Millisecond

// bar is the life of one server socket, or of several that lived alike.
type bar struct {
	pattern string
	ids     []string
	held    evidence.Survival
}

// bars draws how long the process held the sockets, the longest first.
func (t *Terminal) bars(results []*harness.Result) {
	const most = 15
	var list []*bar
	for _, r := range results {
		if r.Record == nil || !r.Record.Socket.Observed || r.Record.Socket.Held.Until < shortest {
			continue
		}
		list = place(list, r.Scenario.ID, r.Record.Socket.Held)
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b *bar) int { return cmp.Compare(b.held.Until, a.held.Until) })
	t.line("\nhow long hanging sockets lived (held by the server's process, from the trigger)")
	label := 0
	for _, b := range list[:min(most, len(list))] {
		label = max(label, len(b.name()))
	}
	label = min(label, t.o.Width/2)
	room := max(t.o.Width-label-14, 5)
	axis := list[0].held.Until
	for _, b := range list[:min(most, len(list))] {
		length := max(1, int(int64(room)*int64(b.held.Until)/int64(axis)))
		drawn := strings.Repeat("█", length)
		if b.held.Censored {
			drawn = strings.Repeat("█", length-1) + "▶"
		}
		t.line("  %-*s %s %s", label, Clip(b.name(), label), drawn, Lifetime(evidence.Survival{Until: b.held.Until, Censored: b.held.Censored}))
	}
	if more := len(list) - most; more > 0 {
		t.line("  and %d more that ended sooner", more)
	}
}

func (b *bar) name() string { return name(b.pattern, b.ids) }

// place adds a life to the bar that it is like, within a tenth, or a new one.
func place(list []*bar, id string, held evidence.Survival) []*bar {
	for _, b := range list {
		apart := max(b.held.Until-held.Until, held.Until-b.held.Until)
		if b.pattern == pattern(id) && b.held.Censored == held.Censored && apart <= b.held.Until/10 {
			b.ids = append(b.ids, id)
			b.held.Until = max(b.held.Until, held.Until)
			return list
		}
	}
	return append(list, &bar{pattern: pattern(id), ids: []string{id}, held: held})
}
