// Package survival estimates how long things live if some are still alive when their
// observation ends, by the Kaplan-Meier estimator (E. L. Kaplan, P. Meier, Nonparametric
// Estimation from Incomplete Observations, JASA 53, 1958).
package survival

import (
	"math"
	"slices"
)

// Observation is one lifetime.
type Observation struct {
	Time     float64 // when it died or was last seen alive; not negative, in any unit
	Censored bool    // it was still alive at Time
}

// Step is the value of the curve from Time until the next step.
type Step struct {
	Time     float64
	AtRisk   int     // how many were alive and observed just before Time
	Deaths   int     // how many died at Time
	Survival float64 // the share that lives longer than Time
	Low      float64 // the lower confidence bound of Survival
	High     float64 // the upper confidence bound of Survival
}

// Curve is an estimated survival function. It is 1 until the first step.
type Curve struct {
	N        int     // how many observations there are
	Censored int     // how many observations are censored
	Last     float64 // the longest time that was observed
	Steps    []Step  // one for each time at which something died, ascending
}

// Estimate returns the curve with pointwise confidence bounds of the given level, such as 0.95.
// It uses Greenwood's variance on the log(-log) scale, so that the bounds stay within 0 and 1
// (J. D. Kalbfleisch, R. L. Prentice, The Statistical Analysis of Failure Time Data, 1.4). At a
// survival of 0 the variance is not defined: Low is 0, and High stays what it was before. A
// death comes before a censoring of the same time. A time that is negative or not a number
// counts as 0.
func Estimate(observations []Observation, level float64) *Curve {
	list := slices.Clone(observations)
	for i, o := range list {
		if !(o.Time >= 0) {
			list[i].Time = 0
		}
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
	z := math.Sqrt2 * math.Erfinv(level)
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
		s := Step{Time: at, AtRisk: atRisk, Deaths: deaths, Survival: survival, High: high}
		if survival > 0 {
			spread := math.Exp(z * math.Sqrt(variance) / math.Log(survival))
			s.Low, s.High = math.Pow(survival, 1/spread), math.Pow(survival, spread)
			high = s.High
		}
		c.Steps = append(c.Steps, s)
	}
	return c
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
// Biometrics 38, 1982). A time that was not reached is infinite.
func (c *Curve) Quantile(q float64) (at, low, high float64) {
	first := func(below func(Step) bool) float64 {
		for _, s := range c.Steps {
			if below(s) {
				return s.Time
			}
		}
		return math.Inf(1)
	}
	const rounding = 1e-9 // a product of fractions need not hit 1-q
	target := 1 - q + rounding
	return first(func(s Step) bool { return s.Survival <= target }),
		first(func(s Step) bool { return s.Low <= target }),
		first(func(s Step) bool { return s.High <= target })
}

// Median returns Quantile(0.5).
func (c *Curve) Median() (at, low, high float64) { return c.Quantile(0.5) }
