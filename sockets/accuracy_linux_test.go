package sockets

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestAccuracy closes three hundred sockets at random moments within half a second. The
// kernel frees some at once, which an event reports; the others become orphans, which only
// a query finds.
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
			t.Logf("release reported late by: p50 %s, p99 %s, max %s; bound: p50 %s, p99 %s; timers late by up to %s",
				percentile(late, 50), percentile(late, 99), percentile(late, 100),
				percentile(bounds, 50), percentile(bounds, 99), slept.Round(time.Microsecond))
			// A round of queries can be interrupted as long as a timer, more than once.
			if worst, limit := percentile(late, 100), 20*time.Millisecond+4*slept; worst > limit {
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

// release closes the server's ends, and returns how much later than the close each release
// was dated, and the bounds of these dates; both sorted.
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

// percentile returns the value that percent of the sorted values do not exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(time.Microsecond)
}

// stalls measures how late timers fire in this process until worst is called, which returns
// the longest delay.
func stalls() (worst func() time.Duration) {
	stop, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		for {
			due := time.Now().Add(minPollPause)
			select {
			case <-time.After(minPollPause):
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
