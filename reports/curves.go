package reports

import (
	"fmt"
	"math"
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
		out = append(out, newCurve(kind, seen.wire[kind], survival.Estimate(seen.of[kind], level), seen.bound[kind]))
	}
	return out
}

func newCurve(kind string, wire bool, estimate *survival.Curve, bound time.Duration) Curve {
	c := Curve{
		Kind: kind, Wire: wire, N: estimate.N, Censored: estimate.Censored, Last: estimate.Last,
		Bound: sec(bound), Steps: []CurveStep{}, Level: level,
	}
	for _, s := range estimate.Steps {
		c.Steps = append(c.Steps, CurveStep{s.Time, s.AtRisk, s.Deaths, s.Survival, s.Low, s.High})
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
	return &Quantile{reached(at), reached(low), reached(high)}
}

// estimate is the curve in the form that computes quantiles.
func (c Curve) estimate() *survival.Curve {
	out := &survival.Curve{N: c.N, Censored: c.Censored, Last: c.Last}
	for _, s := range c.Steps {
		out.Steps = append(out.Steps, survival.Step{
			Time: s.At, AtRisk: s.AtRisk, Deaths: s.Deaths, Survival: s.Survival, Low: s.Low, High: s.High,
		})
	}
	return out
}

// Median is the time by which half of the sockets were gone, with its bounds:
// "2.00 s (2.00 s to 2.01 s)".
func (c Curve) Median() string {
	at, low, high := c.estimate().Median()
	return fmt.Sprintf("%s (%s to %s)", c.time(at), c.time(low), c.time(high))
}

// Summary is the curve in figures: "median 2.00 s (2.00 s to 2.01 s), p90 2.01 s".
func (c Curve) Summary() string {
	p90, _, _ := c.estimate().Quantile(0.9)
	out := fmt.Sprintf("median %s, p90 %s", c.Median(), c.time(p90))
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
// sockets are alive, a blank where none is.
func (c Curve) Spark(n int, end float64) string {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	estimate := c.estimate()
	var b strings.Builder
	for i := range n {
		alive := min(max(estimate.At(end*float64(i)/float64(n)), 0), 1)
		b.WriteRune(blocks[int(math.Ceil(alive*float64(len(blocks)-1)))])
	}
	return b.String()
}

// duration converts a time of the model, which is in seconds.
func duration(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }
