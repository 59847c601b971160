package survival

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// within is an observation whose end lies in (low, high].
func within(low, high float64) Observation {
	if math.IsInf(high, 1) {
		return Observation{Time: low, Censored: true}
	}
	return Observation{Time: high, Interval: true, After: low}
}

// TestPublishedMasses compares with what R's package interval prints of the breast cosmesis data.
func TestPublishedMasses(t *testing.T) {
	type mass struct{ low, high, share float64 }
	type group struct {
		name string
		list []Observation
		want []mass
	}
	var groups []*group
	f, err := os.Open("testdata/cosmesis.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		var m mass
		switch word {
		case "group":
			groups = append(groups, &group{name: rest})
			continue
		case "data":
			_, err = fmt.Sscan(rest, &m.low, &m.high)
		case "mass":
			_, err = fmt.Sscan(rest, &m.low, &m.high, &m.share)
		default:
			continue
		}
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if g := groups[len(groups)-1]; word == "data" {
			g.list = append(g.list, within(m.low, m.high))
		} else {
			g.want = append(g.want, m)
		}
	}
	for i, g := range groups {
		if n := []int{46, 48}[i]; len(g.list) != n {
			t.Fatalf("%s: %d observations, want %d", g.name, len(g.list), n)
		}
		c := Turnbull(g.list, 0.95)
		if len(c.Steps) != len(g.want) || c.Gap > tolerance {
			t.Fatalf("%s: %d steps, want %d; gap %g\n%+v", g.name, len(c.Steps), len(g.want), c.Gap, c.Steps)
		}
		before := 1.0
		for i, s := range c.Steps {
			// The published masses end their iterations earlier: their last digit may differ.
			if w := g.want[i]; s.After != w.low || s.Time != w.high || math.Abs(before-s.Survival-w.share) > 1e-4 {
				t.Errorf("%s: (%g, %g] %.5f, want %+v", g.name, s.After, s.Time, before-s.Survival, w)
			}
			before = s.Survival
		}
	}
	c := Turnbull(groups[0].list, 0.95)
	if after, at := c.Span(0.5); after != 38 || at != 40 {
		// 0.4656 live longer than 40 months, and 0.5865 longer than 38.
		t.Errorf("median in (%g, %g]", after, at)
	}
}

// TestTurnbullIsKaplanMeier: where all are exact or censored, both estimates are the same, and
// where none is censored, the bounds are too.
func TestTurnbullIsKaplanMeier(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := [][]Observation{remission, {{Time: 3}}, {{Time: 3, Censored: true}}, {{Time: 0}, {Time: 0, Censored: true}, {Time: 1}}}
	for range 300 {
		var list []Observation
		censored := random.Float64()
		for range 1 + random.IntN(40) {
			list = append(list, Observation{Time: float64(random.IntN(12)), Censored: random.Float64() < censored})
		}
		data = append(data, list)
	}
	for _, list := range data {
		km, c := Estimate(list, 0.95), Turnbull(list, 0.95)
		if c.N != km.N || c.Censored != km.Censored || c.Last != km.Last || len(c.Steps) != len(km.Steps) || c.Gap > tolerance {
			t.Fatalf("%+v:\n%+v\n%+v", list, c, km)
		}
		for i, s := range c.Steps {
			w := km.Steps[i]
			if s.Time != w.Time || s.After != w.Time || math.Abs(s.Survival-w.Survival) > 2e-5 {
				t.Fatalf("%+v: %+v, want %+v", list, s, w)
			}
			if km.Censored == 0 && (math.Abs(s.Low-w.Low) > 1e-5 || math.Abs(s.High-w.High) > 1e-5) {
				t.Fatalf("%+v: bounds of %+v, want %+v", list, s, w)
			}
		}
	}
}

// TestIntervalsApart: intervals that do not overlap have the bounds of deaths at their ends.
func TestIntervalsApart(t *testing.T) {
	var exact, list []Observation
	for _, at := range []float64{1, 2, 2, 3, 7, 8, 8, 9} {
		exact, list = append(exact, Observation{Time: at}), append(list, within(at-1, at))
	}
	km := Estimate(exact, 0.95)
	for i, s := range Turnbull(list, 0.95).Steps {
		w := km.Steps[i]
		if s.After != w.Time-1 || s.Time != w.Time || math.Abs(s.Low-w.Low) > 1e-5 || math.Abs(s.High-w.High) > 1e-5 {
			t.Errorf("%+v, want %+v", s, w)
		}
	}
}

// TestMixed: exact, left-censored, interval-censored and right-censored in one data set.
func TestMixed(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		list      []Observation
		want      []Step // only After, Time and Survival
		after, at float64
	}{
		"one interval": {[]Observation{within(29.5, 30.5)}, []Step{{After: 29.5, Time: 30.5}}, 29.5, 30.5},
		"they overlap": {[]Observation{within(28, 30), within(29, 31)}, []Step{{After: 29, Time: 30}}, 29, 30},
		"they touch": {[]Observation{within(28, 29), within(29, 30)}, []Step{{After: 28, Time: 29,
			Survival: 0.5}, {After: 29, Time: 30}}, 28, 29},
		"exact, within an interval": {[]Observation{within(28, 30), {Time: 29}}, []Step{{After: 29, Time: 29}}, 29, 29},
		"exact, where an interval begins": {[]Observation{within(28, 30), {Time: 28}},
			[]Step{{After: 28, Time: 28, Survival: 0.5}, {After: 28, Time: 30}}, 28, 28},
		"left-censored":                 {[]Observation{within(0, 0.31), {Time: 0}}, []Step{{}}, 0, 0},
		"right-censored in an interval": {[]Observation{within(28, 30), {Time: 29, Censored: true}}, []Step{{After: 29, Time: 30}}, 29, 30},
		"right-censored at its end": {[]Observation{within(28, 30), {Time: 30, Censored: true}},
			[]Step{{After: 28, Time: 30, Survival: 0.5}}, 28, 30},
		"right-censored alone": {[]Observation{{Time: 30, Censored: true}}, nil, inf, inf},
		"none":                 {nil, nil, inf, inf},
		"not a number, or negative": {[]Observation{{Time: math.NaN(), Interval: true, After: -3}, {Time: -1,
			Interval: true, After: math.NaN()}}, []Step{{}}, 0, 0},
		"reversed": {[]Observation{within(7, 5)}, []Step{{After: 5, Time: 5}}, 5, 5},
		"endless": {[]Observation{{Time: inf, Interval: true}, {Time: 5, Interval: true,
			After: inf}}, []Step{{After: 5, Time: 5, Survival: 0.5}}, 5, 5},
		"censored, with what no one asks": {[]Observation{{Time: 5, Interval: true, After: 3, Censored: true},
			{Time: 5}}, []Step{{After: 5, Time: 5, Survival: 0.5}}, 5, 5},
	} {
		got := Turnbull(c.list, 0.95)
		if len(got.Steps) != len(c.want) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i, w := range c.want {
			if s := got.Steps[i]; s.After != w.After || s.Time != w.Time || math.Abs(s.Survival-w.Survival) > 1e-6 {
				t.Errorf("%s: %+v, want %+v", name, s, w)
			}
		}
		if after, at := got.Span(0.5); after != c.after || at != c.at {
			t.Errorf("%s: median in (%g, %g]", name, after, at)
		}
		if math.IsInf(got.Last, 1) || math.IsNaN(got.Last) {
			t.Errorf("%s: last %g", name, got.Last)
		}
	}
}

// TestTurnbullBounds: the truth lies within the bounds of 95 per cent at least that often.
func TestTurnbullBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const tries = 200
	for _, at := range []float64{0.3, 0.7, 1.2} {
		covered, of := 0, 0
		for of < tries {
			var list []Observation
			for range 30 {
				life, looked := random.ExpFloat64(), random.Float64()
				for looked < 2 && looked < life {
					looked += 0.1 + random.Float64()
				}
				if looked < life {
					list = append(list, Observation{Time: looked, Censored: true})
				} else {
					list = append(list, within(max(0, min(life, looked-0.1-random.Float64())), looked))
				}
			}
			low, high := 1.0, 1.0
			steps := Turnbull(list, 0.95).Steps
			if len(steps) == 0 || steps[0].After > at { // no bounds are known yet
				continue
			}
			of++
			for _, s := range steps {
				if !(0 <= s.Low && s.Low <= s.Survival && s.Survival <= s.High && s.High <= 1) {
					t.Fatalf("%+v", s)
				}
				if s.After <= at { // the curve may have fallen already
					low = s.Low
				}
				if s.Time <= at {
					high = s.High
				}
			}
			if truth := math.Exp(-at); low <= truth && truth <= high {
				covered++
			}
		}
		if covered < 0.92*tries { // 0.95, less two standard errors
			t.Errorf("at %g: %d of %d", at, covered, tries)
		}
	}
}

// TestTurnbullOfMany: the lifetimes of a crowd, each with bounds of its own, take no longer than
// a reader waits.
func TestTurnbullOfMany(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var list []Observation
	for range 10_000 {
		list = append(list, within(29+random.Float64(), 30+random.Float64()))
	}
	began := time.Now()
	c := Turnbull(list, 0.95)
	took := time.Since(began)
	t.Logf("%d steps, gap %.2g, in %s", len(c.Steps), c.Gap, took)
	if took > 20*time.Second || c.Gap > 1e-3 {
		t.Errorf("gap %g, in %s", c.Gap, took)
	}
}
