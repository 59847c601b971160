// Package survival estimates how long things live when some are still alive at
// the end of the observation: the Kaplan-Meier estimator (E. L. Kaplan, P. Meier,
// Nonparametric Estimation from Incomplete Observations, JASA 53, 1958).
package survival

import (
	"math"
	"slices"
)

// Observation is one lifetime. Censored: still alive at Time, when it was last
// seen.
type Observation struct {
	Time     float64 // not negative, in any unit
	Censored bool
}

// Step is the curve from Time on, until the next step.
type Step struct {
	Time     float64
	AtRisk   int     // alive and observed just before Time
	Deaths   int     // at Time
	Survival float64 // share that lives longer than Time
	Low      float64 // bounds of the confidence interval of Survival
	High     float64
}

// Curve is the estimated survival function: 1 until the first step.
type Curve struct {
	N        int     // observations
	Censored int     // of them
	Last     float64 // the longest time that was observed
	Steps    []Step  // one for each time at which something died, ascending
}

// Estimate gives the curve with pointwise confidence bounds of the given level,
// such as 0.95: Greenwood's variance on the log(-log) scale, as in J. D.
// Kalbfleisch, R. L. Prentice, The Statistical Analysis of Failure Time Data,
// 1.4, so that bounds stay within 0 and 1. At a survival of 0 the variance is not
// defined: Low is 0, and High stays what it was before. Where a death and a censoring have the same time the death comes
// first. Times that are negative or not numbers count as 0.
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

// At is the share that lives longer than t.
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

// Quantile is the time by which the share q has died, 0 < q < 1, with its
// confidence bounds (R. Brookmeyer, J. Crowley, A Confidence Interval for the
// Median Survival Time, Biometrics 38, 1982). A time that was not reached is
// infinite.
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

// Median is Quantile(0.5).
func (c *Curve) Median() (at, low, high float64) { return c.Quantile(0.5) }
