package sockets

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// Three hundred sockets that a process lets go of at any moment within half a
// second: those that are freed soon, which an event tells, and those that stay
// behind as orphans, which only a query sees.
func TestAccuracy(t *testing.T) {
	for _, test := range []struct {
		name string
		jam  bool
	}{{"freed soon", false}, {"orphans", true}} {
		t.Run(test.name, func(t *testing.T) {
			o := open(t)
			samples := make([]sample, 300)
			for i := range samples {
				c := connect(t, families[i%len(families)])
				samples[i] = sample{pair: c, w: o.watch(c)}
				if test.jam {
					c.jam(t)
				}
			}
			for _, s := range samples {
				await(t, s.w, (*Watch).Accepted)
			}
			stall := stalls()
			late, bounds := release(t, samples)
			slept := stall()
			t.Logf("release told after it: p50 %s, p99 %s, max %s; bound: p50 %s, p99 %s; timers late by up to %s",
				at(late, 50), at(late, 99), at(late, 100), at(bounds, 50), at(bounds, 99), slept.Round(time.Microsecond))
			// A round of queries can be interrupted as long as a timer, more than once.
			if worst, limit := at(late, 100), 20*time.Millisecond+4*slept; worst > limit {
				t.Errorf("worst release error %s, want at most %s", worst, limit)
			}
		})
	}
}

type sample struct {
	pair
	w             *Watch
	before, after time.Time
}

// release closes the server's ends, and tells how much later each was reported,
// and with what bound; both sorted.
func release(t *testing.T, samples []sample) (late, bounds []time.Duration) {
	var closes sync.WaitGroup
	for i := range samples {
		s, delay := &samples[i], rand.N(500*time.Millisecond)
		closes.Go(func() {
			<-time.After(delay)
			s.before = time.Now()
			_ = s.server.Close()
			s.after = time.Now()
		})
	}
	closes.Wait()
	for _, s := range samples {
		await(t, s.w, (*Watch).Released)
		l := s.w.Lifetime()
		bounded(t, "release", l.Released, l.ReleasedBound, s.before, s.after)
		late = append(late, l.Released.Sub(s.after))
		bounds = append(bounds, l.ReleasedBound)
	}
	slices.Sort(late)
	slices.Sort(bounds)
	return late, bounds
}

// at is a percentile.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(time.Microsecond)
}

// stalls watches how late a timer comes in this process on this machine, until
// the worst is asked for.
func stalls() (worst func() time.Duration) {
	stop, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		for {
			due := time.Now().Add(pollFloor)
			select {
			case <-time.After(pollFloor):
				worst = max(worst, time.Since(due))
			case <-stop:
				result <- worst
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-result
	}
}
