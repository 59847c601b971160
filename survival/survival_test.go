package survival

import (
	"math"
	"testing"
)

// The 21 patients with 6-mercaptopurine of Freireich et al. 1963, weeks of
// remission, the worked example of E. A. Gehan 1965 and of most textbooks since
// (D. R. Cox, D. Oakes, Analysis of Survival Data, 1984, table 1.1).
var remission = func() []Observation {
	var out []Observation
	for _, t := range []float64{6, 6, 6, 7, 10, 13, 16, 22, 23} {
		out = append(out, Observation{Time: t})
	}
	for _, t := range []float64{6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35} {
		out = append(out, Observation{Time: t, Censored: true})
	}
	return out
}()

// The published estimates: survival, Greenwood's standard error and bounds of 95
// per cent to 4 digits, as statistics packages list them for these data (D. G.
// Kleinbaum, M. Klein, Survival Analysis, chapter 2 and its computer appendix).
func TestPublishedEstimates(t *testing.T) {
	c := Estimate(remission, 0.95)
	want := []struct {
		time          float64
		risk, deaths  int
		survival, err float64
		low, high     float64
	}{
		{6, 21, 3, 0.8571, 0.0764, 0.6197, 0.9516}, {7, 17, 1, 0.8067, 0.0869, 0.5631, 0.9228},
		{10, 15, 1, 0.7529, 0.0963, 0.5032, 0.8894}, {13, 12, 1, 0.6902, 0.1068, 0.4316, 0.8491},
		{16, 11, 1, 0.6275, 0.1141, 0.3675, 0.8049}, {22, 7, 1, 0.5378, 0.1282, 0.2678, 0.7468},
		{23, 6, 1, 0.4482, 0.1346, 0.1881, 0.6801},
	}
	if len(c.Steps) != len(want) || c.N != 21 || c.Censored != 12 || c.Last != 35 {
		t.Fatalf("%+v", c)
	}
	z := 1.959963985
	for i, w := range want {
		s := c.Steps[i]
		if s.Time != w.time || s.AtRisk != w.risk || s.Deaths != w.deaths || math.Abs(s.Survival-w.survival) > 5e-5 {
			t.Errorf("step %d: %+v, want %+v", i, s, w)
		}
		if math.Abs(s.Low-w.low) > 1e-4 || math.Abs(s.High-w.high) > 1e-4 {
			t.Errorf("step %d: %.4f to %.4f, want %.4f to %.4f", i, s.Low, s.High, w.low, w.high)
		}
		// The bounds on the log(-log) scale give Greenwood's standard error back.
		theta := (math.Log(-math.Log(s.Low)) - math.Log(-math.Log(s.High))) / (2 * z)
		if got := -theta * s.Survival * math.Log(s.Survival); math.Abs(got-w.err) > 1e-4 {
			t.Errorf("step %d: standard error %.4f, want %.4f", i, got, w.err)
		}
	}
	if at, low, high := c.Median(); at != 23 || low != 13 || !math.IsInf(high, 1) {
		t.Errorf("median %v, %v to %v", at, low, high)
	}
}

// Without censoring the curve is the share that lives on.
func TestUncensored(t *testing.T) {
	var list []Observation
	for i := 1; i <= 10; i++ {
		list = append(list, Observation{Time: float64(i)})
	}
	c := Estimate(list, 0.95)
	for i := range 11 {
		if got, want := c.At(float64(i)), 1-float64(i)/10; math.Abs(got-want) > 1e-12 {
			t.Errorf("at %d: %v, want %v", i, got, want)
		}
	}
	if at, _, _ := c.Quantile(0.9); at != 9 {
		t.Errorf("p90 %v", at)
	}
	if at, _, _ := c.Median(); at != 5 {
		t.Errorf("median %v", at)
	}
	if s := c.Steps[9]; s.Survival != 0 || s.Low != 0 || s.High != c.Steps[8].High {
		t.Errorf("%+v", s)
	}
}

// The bounds of the median of few: the upper one is not the longest time, because
// nothing bounds the curve where it is 0. R's survfit gives NA there.
func TestMedianOfFew(t *testing.T) {
	inf := math.Inf(1)
	for i, want := range [][3]float64{{1, 1, inf}, {1, 1, inf}, {2, 1, inf}, {2, 1, inf}, {3, 1, inf}} {
		var list []Observation
		for j := range i + 1 {
			list = append(list, Observation{Time: float64(j + 1)})
		}
		if at, low, high := Estimate(list, 0.95).Median(); [3]float64{at, low, high} != want {
			t.Errorf("of %d: %v (%v to %v), want %v", i+1, at, low, high, want)
		}
	}
}

func TestNothingDies(t *testing.T) {
	c := Estimate([]Observation{
		{Time: 35, Censored: true}, {Time: 35, Censored: true}, {Time: math.NaN(), Censored: true}, {Time: -1, Censored: true}}, 0.95)
	if len(c.Steps) != 0 || c.At(100) != 1 || c.Censored != 4 {
		t.Errorf("%+v", c)
	}
	if at, low, high := c.Median(); !math.IsInf(at, 1) || !math.IsInf(low, 1) || !math.IsInf(high, 1) {
		t.Error(at, low, high)
	}
	if c := Estimate(nil, 0.95); c.N != 0 || c.At(0) != 1 {
		t.Errorf("%+v", c)
	}
}

// All at the same time, of one and of many: no bound is outside of 0 to 1.
func TestBounds(t *testing.T) {
	for n := 1; n < 60; n++ {
		var list []Observation
		for i := range n {
			list = append(list, Observation{Time: float64(i % 7), Censored: i%3 == 0})
		}
		before := 1.0
		for _, s := range Estimate(list, 0.99).Steps {
			if !(0 <= s.Low && s.Low <= s.Survival && s.Survival <= s.High && s.High <= 1 && s.Survival <= before) {
				t.Fatalf("of %d: %+v", n, s)
			}
			before = s.Survival
		}
	}
}
