package survival

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// The estimate ends when its mean log-likelihood is within tolerance of the maximum, after
// mostIterations, or after mostWork sums, which take about a second. Curve.Gap says how near it
// came.
const (
	tolerance      = 1e-9
	mostIterations = 20_000
	mostWork       = 50_000_000
)

// Turnbull returns the curve of lifetimes whose ends are known within intervals: the
// nonparametric maximum likelihood estimate (B. W. Turnbull, The Empirical Distribution Function
// with Arbitrarily Grouped, Censored and Truncated Data, JRSS B 38, 1976). The end of an
// Interval lies in (After, Time], or, with an After of 0, in [0, Time]; that of a Censored
// observation is later than Time; that of any other is Time. Where all are exact or censored, the survival is that of [Estimate].
//
// The curve falls only in the innermost intervals, each a Step, and nothing tells where within
// one. The EM algorithm finds how far it falls in each, to a millionth.
//
// The bounds are conservative, because neither Greenwood's variance nor the bootstrap holds for
// this estimate: Low counts those that surely lived longer, as if all others were dead, and High
// those that may have, each with the bounds that Estimate gives to that share. Without censored
// observations and intervals they are those of Estimate. As there, none are known before the
// first step. A time that is negative or not a number counts as 0, and an interval that does not
// begin before its Time as a death at that time.
func Turnbull(observations []Observation, level float64) *Curve {
	c := &Curve{N: len(observations)}
	list := make([]span, 0, len(observations))
	for _, o := range observations {
		if o.Censored {
			c.Censored++
		}
		s := o.span()
		for _, t := range []float64{s.first.at, s.last} {
			if !math.IsInf(t, 1) {
				c.Last = max(c.Last, t)
			}
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return c
	}
	inner := innermost(list)
	var mass []float64
	mass, c.Gap = maximize(list, inner)
	falls := c.steps(inner, mass)
	c.conservativeBounds(list, falls, level)
	return c
}

// span is where the end of a lifetime lies: from first, to and including last.
type span struct {
	first start
	last  float64
}

// start is the beginning of a span. After: the span holds what is later than at, and not at.
type start struct {
	at    float64
	after bool
}

func (a start) compare(b start) int {
	if c := cmp.Compare(a.at, b.at); c != 0 || a.after == b.after {
		return c
	}
	if b.after {
		return -1
	}
	return 1
}

// within reports whether nothing at or before t is earlier than the start.
func (a start) within(t float64) bool { return a.at < t || a.at == t && !a.after }

// span returns where the lifetime ends.
func (o Observation) span() span {
	at, after := notNegative(o.Time), notNegative(o.After)
	switch {
	case o.Censored:
		return span{start{at, true}, math.Inf(1)}
	case o.Interval && after < at && !math.IsInf(at, 1):
		return span{start{after, after > 0}, at}
	}
	return span{start{at, false}, at}
}

func notNegative(t float64) float64 {
	if t >= 0 {
		return t
	}
	return 0
}

// innermost returns the spans, in their order, that begin where one of the list begins, end where
// one ends, and have no other beginning or end inside. Each span of the list contains at least one.
func innermost(list []span) []span {
	starts, ends := make([]start, len(list)), make([]float64, len(list))
	for i, s := range list {
		starts[i], ends[i] = s.first, s.last
	}
	slices.SortFunc(starts, start.compare)
	slices.Sort(ends)
	var out []span
	next := 0 // of the starts
	for _, last := range ends {
		before := next
		for next < len(starts) && starts[next].within(last) {
			next++
		}
		if next > before {
			out = append(out, span{starts[next-1], last})
		}
	}
	return out
}

// maximize returns the share of lifetimes that ends in each of the innermost spans, and how far
// its mean log-likelihood is from the maximum, at most. Sums of neighbours make an iteration
// linear in the number of observations.
func maximize(list, inner []span) (mass []float64, gap float64) {
	type reach struct{ from, to int } // of the innermost spans within an observation
	weight := map[reach]float64{}
	for _, s := range list {
		from := sort.Search(len(inner), func(i int) bool { return inner[i].first.compare(s.first) >= 0 })
		to := sort.Search(len(inner), func(i int) bool { return inner[i].last > s.last })
		weight[reach{from, to}]++
	}
	reaches := make([]reach, 0, len(weight))
	for r := range weight {
		reaches = append(reaches, r)
	}
	slices.SortFunc(reaches, func(a, b reach) int { return cmp.Or(a.from-b.from, a.to-b.to) }) // rounds the same each time
	mass = make([]float64, len(inner))
	for i := range mass {
		mass[i] = 1 / float64(len(inner))
	}
	before, change := make([]float64, len(inner)+1), make([]float64, len(inner)+1)
	for range min(mostIterations, 1+mostWork/(len(inner)+len(reaches))) {
		for i, m := range mass {
			before[i+1] = before[i] + m
		}
		clear(change)
		for _, r := range reaches {
			if within := before[r.to] - before[r.from]; within > 0 {
				share := weight[r] / within / float64(len(list))
				change[r.from] += share
				change[r.to] -= share
			}
		}
		// The log-likelihood is concave, so no estimate is better by more than the steepest slope.
		slope, steepest := 0.0, 0.0
		for i := range mass {
			slope += change[i]
			mass[i] *= max(slope, 0)
			steepest = max(steepest, slope)
		}
		if gap = max(steepest-1, 0); gap <= tolerance {
			break
		}
	}
	return mass, gap
}

// steps fills in where the curve falls, and returns where each fall begins. What the iterations
// left of a share that is 0 is no step.
func (c *Curve) steps(inner []span, mass []float64) (falls []start) {
	digit := min(1e-6, 1e-3/float64(c.N))
	total := 0.0
	for i, m := range mass {
		if m < digit {
			mass[i] = 0
		}
		total += mass[i]
	}
	left := 0.0 // of the spans behind
	for i, s := range slices.Backward(inner) {
		if mass[i] > 0 && !math.IsInf(s.last, 1) {
			survival := min(math.Round(left/total/digit)*digit, 1)
			c.Steps, falls = append(c.Steps, Step{After: s.first.at, Time: s.last, Survival: survival}), append(falls, s.first)
		}
		left += mass[i]
	}
	slices.Reverse(c.Steps)
	slices.Reverse(falls)
	return falls
}

// conservativeBounds fills in the bounds of the steps. Those of a step hold until the next fall.
func (c *Curve) conservativeBounds(list []span, falls []start, level float64) {
	starts, ends := make([]start, len(list)), make([]float64, len(list))
	for i, s := range list {
		starts[i], ends[i] = s.first, s.last
	}
	slices.SortFunc(starts, start.compare)
	slices.Sort(ends)
	falls = append(falls, start{c.Last, true})
	n, high := float64(len(list)), 1.0
	of := func(dead int) (survival, low, high float64) {
		survival = (n - float64(dead)) / n
		low, high = bounds(survival, (1-survival)/(n*survival), level)
		return survival, low, high
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		dead, _ := slices.BinarySearchFunc(starts, falls[i+1], start.compare)
		_, low, _ := of(dead)
		s.Low = min(low, s.Survival)
		dead = sort.Search(len(ends), func(i int) bool { return ends[i] > s.Time })
		if survival, _, up := of(dead); survival > 0 {
			high = min(high, up)
		}
		s.High = max(high, s.Survival)
	}
}
