// Package survival estimates how long things live if some are still alive when their
// observation ends, by the Kaplan-Meier estimator (E. L. Kaplan, P. Meier, Nonparametric
// Estimation from Incomplete Observations, JASA 53, 1958), or, where their ends are known within
// intervals, by Turnbull's.
package survival

import (
	"math"
	"slices"
)

// Observation is one lifetime.
type Observation struct {
	Time     float64 // when it died or was last seen alive; not negative, in any unit
	Interval bool    // it died between After and Time; only [Turnbull] knows intervals
	After    float64 // when it was last seen alive, before Time; not negative
	Censored bool    // it was still alive at Time
}

// Step is the value of the curve from Time until the next step.
type Step struct {
	After    float64 // the curve falls between After and Time; in that of [Estimate] both are equal
	Time     float64
	AtRisk   int     // how many were alive and observed just before Time; 0 in that of [Turnbull]
	Deaths   int     // how many died at Time; 0 in that of [Turnbull]
	Survival float64 // the share that lives longer than Time
	Low      float64 // the lower confidence bound of Survival
	High     float64 // the upper confidence bound of Survival
}

// Curve is an estimated survival function. It is 1 until the first step.
type Curve struct {
	N        int     // how many observations there are
	Censored int     // how many observations are censored
	Last     float64 // the longest time that was observed
	Gap      float64 // of [Turnbull]: how far the mean log-likelihood may be below its maximum
	Steps    []Step  // one for each time at which something died, ascending
}

// Estimate returns the curve with pointwise confidence bounds of the given level, such as 0.95.
// It uses Greenwood's variance on the log(-log) scale, so that the bounds stay within 0 and 1
// (J. D. Kalbfleisch, R. L. Prentice, The Statistical Analysis of Failure Time Data, 1.4). At a
// survival of 0 the variance is not defined: Low is 0, and High stays what it was before. A
// death comes before a censoring of the same time. A time that is negative or not a number
// counts as 0. An interval counts as a death at its Time.
func Estimate(observations []Observation, level float64) *Curve {
	list := slices.Clone(observations)
	for i, o := range list {
		list[i].Time = notNegative(o.Time)
	}
	slices.SortFunc(list, func(a, b Observation) int {
		switch {
		case a.Time < b.Time, a.Time == b.Time && !a.Censored && b.Censored:
			return -1
		case a.Time > b.Time, a.Time == b.Time && a.Censored && !b.Censored:
			return 1
		}
		return 0
	})
	c := &Curve{N: len(list)}
	survival, variance, high := 1.0, 0.0, 1.0 // Greenwood's sum; the last upper bound
	for i := 0; i < len(list); {
		at, deaths, atRisk := list[i].Time, 0, len(list)-i
		for ; i < len(list) && list[i].Time == at; i++ {
			if list[i].Censored {
				c.Censored++
			} else {
				deaths++
			}
		}
		c.Last = at
		if deaths == 0 {
			continue
		}
		n, d := float64(atRisk), float64(deaths)
		survival *= (n - d) / n
		variance += d / (n * (n - d)) // infinite at the last death of all
		s := Step{After: at, Time: at, AtRisk: atRisk, Deaths: deaths, Survival: survival, High: high}
		if survival > 0 {
			s.Low, s.High = bounds(survival, variance, level)
			high = s.High
		}
		c.Steps = append(c.Steps, s)
	}
	return c
}

// bounds returns the confidence bounds of a survival, of which variance is Greenwood's sum. At 0
// and 1, where no variance is defined, they are 0 and 1.
func bounds(survival, variance, level float64) (low, high float64) {
	if survival <= 0 || survival >= 1 {
		return survival, survival
	}
	spread := math.Exp(math.Sqrt2 * math.Erfinv(level) * math.Sqrt(variance) / math.Log(survival))
	return math.Pow(survival, 1/spread), math.Pow(survival, spread)
}

// At returns the share that lives longer than t.
func (c *Curve) At(t float64) float64 {
	survival := 1.0
	for _, s := range c.Steps {
		if s.Time > t {
			break
		}
		survival = s.Survival
	}
	return survival
}

// Quantile returns the time by which the share q has died, 0 < q < 1, with its confidence
// bounds (R. Brookmeyer, J. Crowley, A Confidence Interval for the Median Survival Time,
// Biometrics 38, 1982). A time that was not reached is infinite. Where the curve falls between
// two times, at and high are the later one, and low is the earlier one.
func (c *Curve) Quantile(q float64) (at, low, high float64) {
	reached := func(below func(Step) bool) Step {
		if i := slices.IndexFunc(c.Steps, below); i >= 0 {
			return c.Steps[i]
		}
		return Step{After: math.Inf(1), Time: math.Inf(1)}
	}
	const rounding = 1e-9 // a product of fractions need not hit 1-q
	target := 1 - q + rounding
	return reached(func(s Step) bool { return s.Survival <= target }).Time,
		reached(func(s Step) bool { return s.Low <= target }).After,
		reached(func(s Step) bool { return s.High <= target }).Time
}

// Span returns the times between which the share that has died reaches q. They are equal where
// the curve falls at one moment, and infinite where it does not reach q.
func (c *Curve) Span(q float64) (after, at float64) {
	at, _, _ = c.Quantile(q)
	for _, s := range c.Steps {
		if s.Time == at {
			return s.After, at
		}
	}
	return at, at
}

// Median returns Quantile(0.5).
func (c *Curve) Median() (at, low, high float64) { return c.Quantile(0.5) }
