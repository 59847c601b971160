package sockets

import (
	"testing"
	"time"
)

// TestClock: an event lies within the bounds, which the shortest exchange near it decides.
func TestClock(t *testing.T) {
	const ms = time.Millisecond
	zero := time.Now() // of the observer's clock
	type exchange struct{ at, asked, answered time.Duration }
	for _, test := range []struct {
		name           string
		exchanges      []exchange
		from, to       time.Duration
		earliest, last time.Duration // the bounds of the event
	}{
		{"one", []exchange{{10 * ms, 8 * ms, 14 * ms}}, 10 * ms, 10 * ms, 8 * ms, 14 * ms},
		{"the shortest", []exchange{{10 * ms, 0, 110 * ms}, {120 * ms, 119 * ms, 122 * ms}, {130 * ms, 100 * ms, 160 * ms}},
			120 * ms, 120 * ms, 119 * ms, 122 * ms},
		{"both sides", []exchange{{10 * ms, 9 * ms, 110 * ms}, {10 * ms, -100 * ms, 13 * ms}}, 10 * ms, 10 * ms, 9 * ms, 13 * ms},
		{"an interval", []exchange{{10 * ms, 9 * ms, 11 * ms}}, 5 * ms, 10 * ms, 4*ms - 5*time.Microsecond, 11 * ms},
		{"far away", []exchange{{0, -ms, ms}}, 10 * time.Second, 10 * time.Second, 10*time.Second - 11*ms, 10*time.Second + 11*ms},
		{"between two", []exchange{{0, -ms, ms}, {10 * time.Second, 10*time.Second - ms, 10*time.Second + ms}},
			5 * time.Second, 5 * time.Second, 5*time.Second - 6*ms, 5*time.Second + 6*ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			for _, e := range test.exchanges {
				check(t, c.add(e.at, zero.Add(e.asked), zero.Add(e.answered)))
			}
			earliest, latest := c.local(test.from, test.to)
			if earliest.Sub(zero) != test.earliest || latest.Sub(zero) != test.last {
				t.Errorf("in [%s, %s], want [%s, %s]", earliest.Sub(zero), latest.Sub(zero), test.earliest, test.last)
			}
		})
	}
}

// A clock that jumps is not believed; one that drifts, or was asked thousands of times, is.
func TestClockThatJumps(t *testing.T) {
	zero, second := time.Now(), time.Second
	exchange := func(c *clock, at, here time.Duration) error { return c.add(at, zero.Add(here), zero.Add(here+1)) }
	for name, second := range map[string][2]time.Duration{"back": {second - 1, second}, "ahead": {2*second + second/2, 2 * second}} {
		var c clock
		check(t, exchange(&c, time.Second, time.Second))
		if exchange(&c, second[0], second[1]) == nil {
			t.Errorf("%s: it is believed", name)
		}
	}
	var c clock
	for i := range 5 * mostOffsets {
		here := time.Duration(i) * second
		check(t, exchange(&c, here+here/2000, here)) // 500 ppm
	}
	if len(c.offsets) > mostOffsets {
		t.Errorf("it keeps %d exchanges", len(c.offsets))
	}
}
