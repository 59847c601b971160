package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
)

// wholeWire is the name of the figure that combines everything on the wire.
const wholeWire = "all on the wire"

// table collects the differences between finwait's times and those of the other source.
type table struct {
	figures     []string                // the names, in the order of their first difference
	differences map[string][]difference // by figure
	unmatched   []string                // what only one side saw, a line each
}

// difference is the absolute difference in one scenario.
type difference struct {
	off time.Duration
	id  string
}

func (t *table) add(figure, id string, d time.Duration) {
	if t.differences == nil {
		t.differences = map[string][]difference{}
	}
	if t.differences[figure] == nil {
		t.figures = append(t.figures, figure)
	}
	t.differences[figure] = append(t.differences[figure], difference{max(d, -d), id})
}

func (t *table) missing(format string, args ...any) {
	t.unmatched = append(t.unmatched, fmt.Sprintf(format, args...))
}

// print prints the percentiles. It reports whether all are within their limits and
// both sides saw the same.
func (t *table) print(w io.Writer) bool {
	ok := len(t.unmatched) == 0
	slices.Sort(t.figures)
	fmt.Fprintf(w, "%-20s %6s %10s %10s %10s %10s  %s\n", "figure", "n", "p50", "p99", "max", "limit p99", "worst")
	for _, figure := range t.figures {
		off := t.differences[figure]
		sortDifferences(off)
		worst := off[len(off)-1]
		limit := wireLimit
		switch {
		case len(off) < 100: // its 99th percentile would be its maximum
			limit = 0
		case figure == "release":
			limit = releaseLimit
		case figure == crowdAll:
			limit = crowdLimit
		case strings.HasPrefix(figure, crowdFigure):
			limit = 2 * crowdLimit // one kind is only a tenth of the sockets, so its p99 varies more
		}
		p99 := percentile(off, 99)
		mark, allowed := "", "-"
		if limit > 0 {
			allowed = figures.Format(limit)
			if p99 > limit {
				ok, mark = false, "  over"
			}
		}
		fmt.Fprintf(w, "%-20s %6d %10s %10s %10s %10s  %s\n", figure, len(off), figures.Format(percentile(off, 50)), figures.Format(p99),
			figures.Format(worst.off), allowed, worst.id+mark)
	}
	for _, line := range t.unmatched {
		fmt.Fprintln(w, line)
	}
	return ok
}

func sortDifferences(d []difference) {
	slices.SortFunc(d, func(a, b difference) int { return cmp.Compare(a.off, b.off) })
}

// percentile is the p-th percentile of sorted values, by the nearest rank.
func percentile(sorted []difference, p int) time.Duration {
	return sorted[max(0, (len(sorted)*p+99)/100-1)].off
}

// cpu is the processor's model name.
func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
