package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/rules"
)

// The rules of the terminal output:
//
//   - A pass is quiet. In a log, what fails is a line as soon as it is there;
//     on a terminal one live line counts, and is never left behind.
//   - The end is enough: there stands every failure, error and warning with
//     want, got and clause. What fails alike is told once: the same rules in
//     scenarios whose ids differ in one part are one entry with a count.
//   - Then how long hanging sockets lived, a bar each on one axis; a censored
//     one has an open end. Then one sentence of totals.
//   - Colour only repeats what a word already says.
//   - Nothing that a server sent reaches the terminal unescaped, nor can it be a
//     command for GitHub's runner.

// TerminalOptions say what the output may use.
type TerminalOptions struct {
	Width   int  // columns; at least 40 are used
	Color   bool // ANSI colours
	Live    bool // one line is redrawn while scenarios are under way
	Verbose bool // passes and traces too
}

// Terminal prints a run as it goes. Its methods are called from one goroutine.
type Terminal struct {
	w     io.Writer
	o     TerminalOptions
	total int
	notes int             // how many were printed at the beginning
	done  map[string]bool // by id
	bad   int
	began time.Time
	shade bool // a curve was drawn that falls at an unknown moment
}

// NewTerminal prints on w.
func NewTerminal(w io.Writer, o TerminalOptions) *Terminal {
	o.Width = max(o.Width, 40)
	return &Terminal{w: w, o: o, done: map[string]bool{}, began: time.Now()}
}

// Begin names the target and what the reader must know beforehand.
func (t *Terminal) Begin(target string, total int, notes ...string) {
	t.total, t.notes = total, len(notes)
	t.line("%s against %s", count(total), OneLine(target))
	for _, n := range notes {
		t.wrapped("note    ", n)
	}
	t.live()
}

// Result shows a result as soon as it is there; a corrected one again.
func (t *Terminal) Result(s *Scenario) {
	failed := s.Verdict == Fail || s.Verdict == Errored
	if !t.done[s.ID] {
		t.done[s.ID] = true
		if failed {
			t.bad++
		}
	}
	switch {
	case t.o.Verbose:
		t.clear()
		t.verbose(s)
	case failed && !t.o.Live:
		t.wrapped(t.word(s.Verdict)+"  "+OneLine(s.ID)+": ", inShort(s))
	}
	t.live()
}

// Tick redraws the live line: while sockets hang there is nothing else to see.
func (t *Terminal) Tick() { t.live() }

func inShort(s *Scenario) string {
	if f := s.Breach(); f != nil && s.Verdict != Errored {
		return fmt.Sprintf("%s %s, got %s", f.Rule, f.Grading(), f.Got)
	}
	return s.Error
}

// End shows everything that is not a pass, the lifetimes and the totals.
func (t *Terminal) End(r *Report) {
	t.clear()
	for _, n := range r.Notes[min(t.notes, len(r.Notes)):] { // what happened during the run
		t.wrapped("note    ", n)
	}
	groups := Group(r.Scenarios)
	for _, verdict := range []string{Fail, Errored, Warn} {
		for _, g := range groups {
			if listedAs(g.Scenario) == verdict {
				t.entry(g)
			}
		}
	}
	t.measured(r.Scenarios)
	t.known(r.Scenarios)
	t.disagreements(r.Scenarios)
	t.skipped(r.Scenarios)
	t.bars(r.Scenarios)
	t.repeated(r.Scenarios)
	t.crowds(r.Scenarios)
	t.totals(r)
}

// repeated draws how long the server's sockets survived in scenarios that were
// played more than once.
func (t *Terminal) repeated(list []Scenario) {
	head := false
	for _, s := range list {
		if s.Repeated == nil {
			continue
		}
		if !head {
			t.line("")
			t.line("scenarios that were repeated (share of sockets alive, %s; each axis ends with its last)",
				estimators(curvesOf(list, func(s *Scenario) []Curve { return s.Repeated.curves() })...))
			head = true
		}
		summary := s.Repeated.counts()
		if c := s.Repeated.Curve; c != nil {
			summary = t.spark(*c, sparkWidth/2, c.Last) + " " + c.Summary() + "; " + summary
		}
		t.wrapped(fmt.Sprintf("  %-32s ", OneLine(s.ID)), summary)
	}
	t.legend()
}

const sparkWidth = 32

// crowds draws how long the sockets of each kind of peer survived a stop.
func (t *Terminal) crowds(list []Scenario) {
	head := false
	for _, s := range list {
		if !s.Stops || len(s.Findings) == 0 || len(s.Curves) == 0 {
			continue
		}
		end := 0.0
		for _, c := range s.Curves {
			end = max(end, c.Last)
		}
		if !head {
			t.line("")
			t.line("how long the crowds' sockets lived when the server stopped (share of sockets alive, %s)",
				estimators(curvesOf(list, func(s *Scenario) []Curve { return s.Curves })...))
			head = true
		}
		seen := ""
		if s.Curves[0].Wire {
			seen = "TCP open on the wire; "
		}
		t.line("  %s: %s; %sthe axis ends at %s", OneLine(s.ID), exitLine(s.Exit), seen, figures.Format(duration(end)))
		t.draw("    ", s.Curves, end)
	}
	t.legend()
}

// draw draws curves on one axis until end, as long as the figures beside them
// leave room.
func (t *Terminal) draw(indent string, curves []Curve, end float64) {
	n, label := sparkWidth, func(c Curve) string { return fmt.Sprintf("%s%-13s %5d  ", indent, OneLine(c.Kind), c.N) }
	for _, c := range curves {
		n = max(min(n, t.o.Width-len(label(c))-len(" ")-len(c.Summary())), sparkWidth/4)
	}
	for _, c := range curves {
		t.wrapped(label(c)+t.spark(c, n, end)+" ", c.Summary())
	}
}

// exitLine tells how the process ended; nil: finwait did not start it.
func exitLine(e *Exit) string {
	switch {
	case e == nil:
		return "a process that finwait did not start"
	case e.Killed:
		return "killed after " + figures.Format(duration(e.At))
	}
	return "exit after " + figures.Format(duration(e.At)) + " (" + OneLine(e.Words) + ")" + e.behind()
}

func (t *Terminal) verbose(s *Scenario) {
	t.line("%s  %s  %s (%s)", t.word(s.Verdict), OneLine(s.ID), OneLine(s.Title), figures.Format(duration(s.Took)))
	for _, f := range s.Findings {
		outcome, asked := rules.Outcome(f.Outcome), slices.Contains(s.Asks, f.Rule)
		if outcome != rules.Moot && (outcome != rules.Unmeasured || asked) {
			t.wrapped(fmt.Sprintf("      %-12s %-8s ", OneLine(f.Rule), OneLine(f.Outcome)), f.Got)
		}
	}
	if s.Wire == nil {
		return
	}
	for _, line := range traceLines(s) {
		t.line("      %s", line)
	}
	if s.Held() != nil && (len(s.Socket.States) > 0 || s.Socket.Told() == nil) {
		t.wrapped("      socket ", socketLine(s.Socket))
	}
	for _, line := range witnessLines(s.Socket) {
		text := strings.TrimLeft(line, " ")
		t.wrapped("      "+line[:len(line)-len(text)], text)
	}
}

// entry is a failure, an error or a warning, or several that are alike.
func (t *Terminal) entry(g *Alike) {
	s := g.Scenario
	t.line("")
	t.line("%s  %s", t.word(s.Verdict), OneLine(g.Name()))
	switch ids := g.IDs(); {
	case len(g.ids) == 1:
		t.wrapped("        ", s.Title)
	case ids != nil:
		t.wrapped("        ", strings.Join(ids, ", "))
	}
	for _, line := range strings.Split(Explain(s), "\n") {
		label, text, _ := strings.Cut(line, " ")
		t.wrapped(fmt.Sprintf("%-8s", label), strings.TrimSpace(text))
	}
}

func (t *Terminal) measured(list []Scenario) {
	first := true
	for _, s := range list {
		for _, f := range s.Findings {
			if s.Verdict != Info || f.Outcome != string(rules.Measured) {
				continue
			}
			if first {
				t.line("\nmeasured, not judged")
				first = false
			}
			t.wrapped("  "+OneLine(s.ID)+": ", f.Got)
		}
	}
}

func (t *Terminal) known(list []Scenario) {
	first := true
	for _, s := range list {
		if s.Verdict != Known {
			continue
		}
		if first {
			t.line("\nknown failures, excused")
			first = false
		}
		t.wrapped("  "+OneLine(s.ID)+": ", s.Known)
	}
}

func (t *Terminal) skipped(list []Scenario) {
	ids := map[string][]string{} // by what is missing
	for i := range list {
		if s := &list[i]; s.Verdict == Skip && len(s.Unmeasured()) == 0 {
			missing := s.Missed()
			ids[missing] = append(ids[missing], s.ID)
		}
	}
	for _, missing := range slices.Sorted(maps.Keys(ids)) {
		t.line("")
		t.wrapped(t.word(Skip)+"  ", fmt.Sprintf("%s: needs %s: %s", count(len(ids[missing])), missing, strings.Join(ids[missing], " ")))
	}
	for _, g := range gaps(list) {
		t.line("")
		t.wrapped(t.word(Skip)+"  ", fmt.Sprintf("%s: needs %s: %s. No rule that could be judged is broken; not measured: %s",
			count(g.n()), g.needs, Clip(g.why, 300), g))
	}
}

func (t *Terminal) totals(r *Report) {
	n := r.count()
	parts := []string{
		fmt.Sprintf("%d passed", n[Pass]), fmt.Sprintf("%d failed", n[Fail]),
		fmt.Sprintf("%d warned", n[Warn]), fmt.Sprintf("%d measured", n[Info]),
		fmt.Sprintf("%d skipped", n[Skip]), fmt.Sprintf("%d not carried out", n[Errored]),
	}
	if n[Known] > 0 {
		parts = append(parts, fmt.Sprintf("%d known to fail", n[Known]))
	}
	if r.Stopped != "" {
		t.line("")
		t.wrapped("stopped ", r.Stopped)
	}
	t.line("")
	text := fmt.Sprintf("%s in %s: %s.", count(len(r.Scenarios)), figures.Format(duration(r.Took)), strings.Join(parts, ", "))
	if s, held := longest(r.Scenarios); s != nil {
		text += fmt.Sprintf(" The longest hang was %s, %s.", s.ID, held.Held())
	}
	t.wrapped("", text)
}

func count(n int) string {
	if n == 1 {
		return "1 scenario"
	}
	return fmt.Sprintf("%d scenarios", n)
}

// longest is the scenario that a socket hung longest in, of its peer or of its
// crowd, and how long; nil: none was observed.
func longest(list []Scenario) (out *Scenario, held Survival) {
	for i := range list {
		if own := list[i].Longest(); own != nil && (out == nil || own.Until > held.Until) {
			out, held = &list[i], *own
		}
	}
	return out, held
}

// word is a verdict in a column of its own, coloured.
func (t *Terminal) word(verdict string) string {
	word := fmt.Sprintf("%-6s", OneLine(verdict))
	colour := map[string]string{Fail: "31", Errored: "35", Warn: "33", Pass: "32", Skip: "36", Known: "33"}[verdict]
	if !t.o.Color || colour == "" {
		return word
	}
	return "\x1b[" + colour + "m" + word + "\x1b[0m"
}

func (t *Terminal) line(format string, args ...any) {
	for _, l := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintln(t.w, strings.TrimRight(l, " "))
	}
}

// wrapped prints text behind a label, broken at the width and indented.
func (t *Terminal) wrapped(label, text string) {
	indent := min(len([]rune(plain(label))), 8)
	column, b := len([]rune(plain(label))), strings.Builder{}
	b.WriteString(label)
	for i, word := range strings.Fields(OneLine(text)) {
		length := len([]rune(word))
		switch {
		case i > 0 && column+1+length > t.o.Width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	t.line("%s", b.String())
}

// plain is a label without its colour.
func plain(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "\x1b[")
		if !ok {
			return s
		}
		_, after, _ := strings.Cut(rest, "m")
		s = before + after
	}
}

func (t *Terminal) live() {
	if !t.o.Live || len(t.done) == t.total {
		return
	}
	text := fmt.Sprintf("%d of %d done, %d failed, %s", len(t.done), t.total, t.bad, figures.Format(time.Since(t.began)))
	fmt.Fprintf(t.w, "\r\x1b[K%s", Clip(text, t.o.Width-1))
}

func (t *Terminal) clear() {
	if t.o.Live {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
}
