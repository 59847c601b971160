package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/survival"
)

// level is the confidence level of intervals.
const level = 0.95

// observations are how long sockets lived, by kind of peer, in the order of the first of
// each kind.
type observations struct {
	kinds []string
	wire  map[string]bool // of this kind, ends of TCP were seen on the wire only
	of    map[string][]survival.Observation
	bound map[string]time.Duration // the largest error bound of a kind
}

// add adds an observation. Wire: the end of TCP was seen on the wire, not that of the
// server's socket.
func (seen *observations) add(kind string, wire bool, o survival.Observation, bound time.Duration) {
	if seen.of == nil {
		seen.of, seen.wire, seen.bound = map[string][]survival.Observation{}, map[string]bool{}, map[string]time.Duration{}
	}
	if seen.of[kind] == nil {
		seen.kinds = append(seen.kinds, kind)
	}
	seen.of[kind], seen.wire[kind] = append(seen.of[kind], o), seen.wire[kind] || wire
	seen.bound[kind] = max(seen.bound[kind], bound)
}

func (seen *observations) curves() (out []Curve) {
	for _, kind := range seen.kinds {
		list := seen.of[kind]
		c := newCurve(kind, seen.wire[kind], survival.Estimate(list, level), seen.bound[kind])
		if slices.ContainsFunc(list, isInterval) {
			c = newCurve(kind, seen.wire[kind], survival.Turnbull(list, level), 0)
			c.Estimator = turnbull
		}
		out = append(out, c)
	}
	return out
}

const turnbull = "turnbull" // of [Curve.Estimator]

// isInterval tells whether an end is known only as an interval.
func isInterval(o survival.Observation) bool {
	return o.Interval && Survival{Until: o.Time, Bound: o.Time - o.After, Censored: o.Censored}.Interval()
}

// estimators names those of the curves, for the head of a drawing.
func estimators(curves ...Curve) string {
	n := 0
	for _, c := range curves {
		if c.Estimator == turnbull {
			n++
		}
	}
	switch n {
	case 0:
		return "Kaplan-Meier"
	case len(curves):
		return "Turnbull's estimate"
	}
	return "Kaplan-Meier, or Turnbull's estimate"
}

// spark draws a curve, and notes whether it needs a legend.
func (t *Terminal) spark(c Curve, n int, end float64) string {
	drawn := c.Spark(n, end)
	t.shade = t.shade || strings.Contains(drawn, "░")
	return drawn
}

// legend explains what was drawn since the last one.
func (t *Terminal) legend() {
	if t.shade {
		t.line("  ░: the curve falls at some moment within it")
	}
	t.shade = false
}

// curvesOf returns the curves that the scenarios have, of those that are asked for.
func curvesOf(list []Scenario, of func(*Scenario) []Curve) (out []Curve) {
	for i := range list {
		out = append(out, of(&list[i])...)
	}
	return out
}

func newCurve(kind string, wire bool, estimate *survival.Curve, bound time.Duration) Curve {
	c := Curve{
		Kind: kind, Wire: wire, N: estimate.N, Censored: estimate.Censored, Last: estimate.Last,
		Bound: sec(bound), Steps: []CurveStep{}, Level: level,
	}
	for _, s := range estimate.Steps {
		c.Steps = append(c.Steps, CurveStep{earlier(s.After, s.Time), s.Time, s.AtRisk, s.Deaths, s.Survival, s.Low, s.High})
	}
	c.P50, c.P90 = newQuantile(estimate, 0.5), newQuantile(estimate, 0.9)
	return c
}

func newQuantile(estimate *survival.Curve, q float64) *Quantile {
	at, low, high := estimate.Quantile(q)
	reached := func(s float64) *float64 {
		if math.IsInf(s, 1) {
			return nil
		}
		return &s
	}
	after, _ := estimate.Span(q)
	return &Quantile{earlier(after, at), reached(at), reached(low), reached(high)}
}

// earlier returns the beginning of an interval, or nil where it is no interval.
func earlier(after, at float64) *float64 {
	if after < at {
		return &after
	}
	return nil
}

// estimate is the curve in the form that computes quantiles.
func (c Curve) estimate() *survival.Curve {
	out := &survival.Curve{N: c.N, Censored: c.Censored, Last: c.Last}
	for _, s := range c.Steps {
		out.Steps = append(out.Steps, survival.Step{
			After: s.after(), Time: s.At, AtRisk: s.AtRisk, Deaths: s.Deaths, Survival: s.Survival, Low: s.Low, High: s.High,
		})
	}
	return out
}

// after is when the fall of the step begins.
func (s CurveStep) after() float64 {
	if s.After == nil {
		return s.At
	}
	return *s.After
}

// Median is the time by which half of the sockets were gone, with its bounds:
// "2.00 s (2.00 s to 2.01 s)"; "between 29.5 s and 30.5 s (29.5 s to > 35.0 s)" where that
// is known only as an interval.
func (c Curve) Median() string {
	_, low, high := c.estimate().Median()
	return fmt.Sprintf("%s (%s to %s)", c.quantile(0.5), c.time(low), c.time(high))
}

// quantile is the time by which the share q was gone, in words.
func (c Curve) quantile(q float64) string {
	after, at := c.estimate().Span(q)
	if c.Estimator == turnbull && !math.IsInf(at, 1) {
		return Survival{Until: at, Bound: at - after}.String()
	}
	return c.time(at)
}

// Summary is the curve in figures: "median 2.00 s (2.00 s to 2.01 s), p90 2.01 s".
func (c Curve) Summary() string {
	out := fmt.Sprintf("median %s, p90 %s", c.Median(), c.quantile(0.9))
	if c.Censored > 0 {
		out += fmt.Sprintf(", %d still alive", c.Censored)
	}
	if bound := duration(c.Bound); bound > time.Millisecond {
		out += ", up to " + figures.Format(bound) + " less"
	}
	return out
}

// time writes a time of the curve. A quantile that was not reached is later than the last
// time that was observed.
func (c Curve) time(s float64) string {
	if math.IsInf(s, 1) {
		return "> " + figures.Format(duration(c.Last))
	}
	return figures.Format(duration(s))
}

// Spark draws the curve in n characters from 0 to end seconds: a full block where all
// sockets are alive, a blank where none is, ░ where it falls at a moment that is not known.
func (c Curve) Spark(n int, end float64) string {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	estimate := c.estimate()
	var b strings.Builder
	for i := range n {
		at := end * float64(i) / float64(n)
		if slices.ContainsFunc(estimate.Steps, func(s survival.Step) bool { return s.After < at && at < s.Time }) {
			b.WriteRune('░')
			continue
		}
		alive := min(max(estimate.At(at), 0), 1)
		b.WriteRune(blocks[int(math.Ceil(alive*float64(len(blocks)-1)))])
	}
	return b.String()
}

// duration converts a time of the model, which is in seconds.
func duration(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }
