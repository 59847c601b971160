package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
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
	done  int
	bad   int
	began time.Time
}

// NewTerminal prints on w.
func NewTerminal(w io.Writer, o TerminalOptions) *Terminal {
	o.Width = max(o.Width, 40)
	return &Terminal{w: w, o: o, began: time.Now()}
}

// Begin names the target and what the reader must know beforehand.
func (t *Terminal) Begin(target string, total int, notes ...string) {
	t.total = total
	t.line("%s against %s", count(total), OneLine(target))
	for _, n := range notes {
		t.wrapped("note    ", n)
	}
	t.live()
}

// Result shows a result as soon as it is there; a corrected one again.
func (t *Terminal) Result(r *harness.Result) {
	failed := r.Verdict == harness.Fail || r.Verdict == harness.Errored
	if !r.Corrected {
		t.done++
		if failed {
			t.bad++
		}
	}
	switch {
	case t.o.Verbose:
		t.clear()
		t.verbose(r)
	case failed && !t.o.Live:
		t.wrapped(t.word(r.Verdict)+"  "+r.Scenario.ID+": ", inShort(r))
	}
	t.live()
}

// Tick redraws the live line: while sockets hang there is nothing else to see.
func (t *Terminal) Tick() { t.live() }

func inShort(r *harness.Result) string {
	if f := breach(r); f != nil && r.Verdict != harness.Errored {
		return fmt.Sprintf("%s %s, got %s", f.Rule.ID, f.Grading(), f.Got)
	}
	return r.Err
}

// End shows everything that is not a pass, the lifetimes and the totals.
func (t *Terminal) End(run *harness.Run) {
	t.clear()
	groups := Group(run.Results)
	for _, verdict := range []harness.Verdict{harness.Fail, harness.Errored, harness.Warn} {
		for _, g := range groups {
			if listedAs(g.Result) == verdict {
				t.entry(g)
			}
		}
	}
	t.measured(run.Results)
	t.known(run.Results)
	t.skipped(run.Results)
	t.bars(run.Results)
	t.repeated(run.Results)
	t.crowds(run.Results)
	t.totals(run)
}

// repeated draws how long the server's sockets survived in scenarios that were
// played more than once.
func (t *Terminal) repeated(results []*harness.Result) {
	head := false
	for _, r := range results {
		if r.Plays == nil {
			continue
		}
		if !head {
			t.line("")
			t.line("scenarios that were repeated (share of sockets alive, Kaplan-Meier; each axis ends with its last)")
			head = true
		}
		summary := verdicts(r.Plays)
		if k := Repeated(r); k != nil {
			summary = k.Spark(sparkWidth/2, k.Curve.Last) + " " + k.Summary() + "; " + summary
		}
		t.wrapped(fmt.Sprintf("  %-32s ", r.Scenario.ID), summary)
	}
}

const sparkWidth = 32

// crowds draws how long the sockets of each kind of peer survived a stop.
func (t *Terminal) crowds(results []*harness.Result) {
	head := false
	for _, r := range results {
		if !r.Scenario.Stops || r.Record == nil || r.Verdict == harness.Skip {
			continue
		}
		curves := Curves(r)
		end := 0.0
		for _, k := range curves {
			end = max(end, k.Curve.Last)
		}
		if len(curves) == 0 {
			continue
		}
		if !head {
			t.line("")
			t.line("how the crowds were let go when the server stopped (share of sockets alive, Kaplan-Meier)")
			head = true
		}
		seen := ""
		if curves[0].Wire {
			seen = "TCP open on the wire; "
		}
		t.line("  %s: %s; %sthe axis ends at %s", r.Scenario.ID, exitLine(r.Record.Exit), seen, figures.Format(duration(end)))
		t.draw("    ", curves, end)
	}
}

// draw draws curves on one axis until end, as long as the figures beside them
// leave room.
func (t *Terminal) draw(indent string, curves []KindCurve, end float64) {
	n, label := sparkWidth, func(k KindCurve) string { return fmt.Sprintf("%s%-13s %5d  ", indent, k.Kind, k.Curve.N) }
	for _, k := range curves {
		n = max(min(n, t.o.Width-len(label(k))-len(" ")-len(k.Summary())), sparkWidth/4)
	}
	for _, k := range curves {
		t.wrapped(label(k)+k.Spark(n, end)+" ", k.Summary())
	}
}

// exitLine tells how the process ended.
func exitLine(e *evidence.Exit) string {
	switch {
	case e == nil || !e.Observed:
		return "a process that finwait did not start"
	case e.Killed:
		return "killed after " + figures.Format(e.At)
	}
	return "exit after " + figures.Format(e.At) + " (" + OneLine(e.Words) + ")" + exit(e).behind()
}

func (t *Terminal) verbose(r *harness.Result) {
	t.line("%s  %s  %s (%s)", t.word(r.Verdict), r.Scenario.ID, OneLine(r.Scenario.Title), figures.Format(r.Took))
	for _, f := range r.Findings {
		if f.Outcome != rules.Moot && f.Outcome != rules.Unmeasured {
			t.wrapped(fmt.Sprintf("      %-12s %-8s ", f.Rule.ID, f.Outcome), f.Got)
		}
	}
	if r.Record == nil {
		return
	}
	for _, line := range traceLines(r.Record) {
		t.line("      %s", line)
	}
	if s := r.Record.Socket; s.Observed {
		t.wrapped("      socket ", socketLine(s))
	}
}

func socketLine(s evidence.Socket) string {
	var parts []string
	accepted := false
	for _, st := range s.States {
		name := st.Name
		switch accepted = accepted || st.Held; {
		case st.Held || st.Name == "TIME_WAIT": // which is no orphan
		case !accepted:
			name += " (not accepted yet)"
		default:
			name += " (orphan)"
		}
		parts = append(parts, fmt.Sprintf("%s %s", figures.Format(st.At), name))
	}
	return strings.Join(append(parts, "held "+Lifetime(s.Held)), ", ")
}

// entry is a failure, an error or a warning, or several that are alike.
func (t *Terminal) entry(g *Alike) {
	r := g.Result
	t.line("")
	t.line("%s  %s", t.word(r.Verdict), g.Name())
	switch ids := g.IDs(); {
	case len(g.ids) == 1:
		t.wrapped("        ", r.Scenario.Title)
	case ids != nil:
		t.wrapped("        ", strings.Join(ids, ", "))
	}
	for _, line := range strings.Split(Explain(r), "\n") {
		label, text, _ := strings.Cut(line, " ")
		t.wrapped(fmt.Sprintf("%-8s", label), strings.TrimSpace(text))
	}
}

func (t *Terminal) measured(results []*harness.Result) {
	first := true
	for _, r := range results {
		for _, f := range r.Findings {
			if r.Verdict != harness.Info || f.Outcome != rules.Measured {
				continue
			}
			if first {
				t.line("\nmeasured, not judged")
				first = false
			}
			t.wrapped("  "+r.Scenario.ID+": ", f.Got)
		}
	}
}

func (t *Terminal) known(results []*harness.Result) {
	first := true
	for _, r := range results {
		if r.Verdict != harness.Known {
			continue
		}
		if first {
			t.line("\nknown failures, excused")
			first = false
		}
		t.wrapped("  "+r.Scenario.ID+": ", excuses(r))
	}
}

func (t *Terminal) skipped(results []*harness.Result) {
	ids := map[string][]string{}
	for _, r := range results {
		if r.Verdict == harness.Skip {
			missing := missing(r)
			ids[missing] = append(ids[missing], r.Scenario.ID)
		}
	}
	for _, missing := range sorted(ids) {
		t.line("")
		t.wrapped(t.word(harness.Skip)+"  ", fmt.Sprintf("%s: needs %s: %s", count(len(ids[missing])), missing, strings.Join(ids[missing], " ")))
	}
}

func (t *Terminal) totals(run *harness.Run) {
	n := run.Count()
	parts := []string{
		fmt.Sprintf("%d passed", n[harness.Pass]), fmt.Sprintf("%d failed", n[harness.Fail]),
		fmt.Sprintf("%d warned", n[harness.Warn]), fmt.Sprintf("%d measured", n[harness.Info]),
		fmt.Sprintf("%d skipped", n[harness.Skip]), fmt.Sprintf("%d not carried out", n[harness.Errored]),
	}
	if n[harness.Known] > 0 {
		parts = append(parts, fmt.Sprintf("%d known to fail", n[harness.Known]))
	}
	if run.Stopped != "" {
		t.line("")
		t.wrapped("stopped ", run.Stopped)
	}
	t.line("")
	text := fmt.Sprintf("%s in %s: %s.", count(len(run.Results)), figures.Format(run.Took), strings.Join(parts, ", "))
	if r, held := longest(run.Results); r != nil {
		text += fmt.Sprintf(" The longest hang was %s, held %s.", r.Scenario.ID, Lifetime(held))
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
func longest(results []*harness.Result) (out *harness.Result, held evidence.Survival) {
	for _, r := range results {
		if r.Record == nil {
			continue
		}
		for _, rec := range append(r.Record.Crowd[:len(r.Record.Crowd):len(r.Record.Crowd)], r.Record) {
			own := rec.Socket.Held
			own.Until -= rec.Opened()
			if rec.Socket.Observed && (out == nil || own.Until > held.Until) {
				out, held = r, own
			}
		}
	}
	return out, held
}

// word is a verdict in a column of its own, coloured.
func (t *Terminal) word(v harness.Verdict) string {
	word := fmt.Sprintf("%-6s", v)
	colour := map[harness.Verdict]string{harness.Fail: "31", harness.Errored: "35", harness.Warn: "33", harness.Pass: "32", harness.Skip: "36", harness.Known: "33"}[v]
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
	if !t.o.Live || t.done == t.total {
		return
	}
	text := fmt.Sprintf("%d of %d done, %d failed, %s", t.done, t.total, t.bad, figures.Format(time.Since(t.began)))
	fmt.Fprintf(t.w, "\r\x1b[K%s", Clip(text, t.o.Width-1))
}

func (t *Terminal) clear() {
	if t.o.Live {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
