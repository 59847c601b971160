package sockets

import (
	"slices"
	"testing"
	"time"
)

// TestMarks: an event that a CPU reports between two marks happened between their closings.
func TestMarks(t *testing.T) {
	m := newMarks()
	var closed, over [6]time.Time
	for i := range closed {
		m.add(1, uint64(i), func() { closed[i] = time.Now() })
		over[i] = time.Now()
	}
	tells := func(cookie uint64) {
		t.Helper()
		if _, _, own := m.date(1, cookie); !own {
			t.Fatalf("mark %d is unknown", cookie)
		}
	}
	dated := func(cpu int, after, from, to time.Time) {
		t.Helper()
		since, at, own := m.date(cpu, 99)
		if own || since.IsZero() != after.IsZero() || since.After(after) || at.Before(from) || at.After(to) {
			t.Errorf("dated %s to %s, %t; want from %s, and %s to %s", since, at, own, after, from, to)
		}
	}
	now := func(cpu int, after time.Time) {
		t.Helper()
		dated(cpu, after, over[5], time.Now().Add(time.Second))
	}
	never := time.Time{}
	dated(1, never, closed[1], over[1])
	tells(0)
	tells(1)
	dated(1, closed[0], closed[3], over[3])
	tells(3) // the event of 2 was lost
	dated(1, closed[1], closed[5], over[5])
	dated(-1, closed[1], closed[5], over[5]) // one of the CPUs
	now(2, never)                            // another one, without marks
	tells(4)
	now(1, closed[3]) // the mark after the next has not been closed
	m.add(1, 6, func() { now(1, closed[3]) })
	m.dropPending()
	now(1, closed[3]) // not by a mark that may have been lost
}

// TestVisitPlan: the number of visits is bounded, however many CPUs there are. Every CPU has
// its turn, and a busy one is visited in every round.
func TestVisitPlan(t *testing.T) {
	for _, test := range []struct {
		cpus, most int
		visits     int // in all rounds
		pause      int // rounds from one visit of a CPU to the next, at most
	}{
		{1, 2, 1000, 1}, {2, 2, 2000, 1},
		{8, 10, 8000, 1}, {8, 2, 2000, 8},
		{64, 10, 10_000, 13}, {64, 2, 2000, 64},
		{1024, 10, 10_000, 205},
	} {
		const rounds, busy = 1000, 7
		r := visitPlan{perRound: test.most}
		for cpu := range test.cpus {
			r.cpus = append(r.cpus, cpu)
		}
		visits, last := 0, make([]int, test.cpus)
		for n := 1; n <= rounds; n++ {
			visited := r.cpusOfRound(func(cpu int) bool { return cpu == busy })
			visits += len(visited)
			for _, cpu := range visited {
				if n-last[cpu] > test.pause {
					t.Errorf("%d CPUs, %d in a round: CPU %d was not visited for %d rounds",
						test.cpus, test.most, cpu, n-last[cpu])
				}
				last[cpu] = n
			}
			if busy < test.cpus && !slices.Contains(visited, busy) {
				t.Fatalf("%d CPUs, %d in a round: the busy one was not visited", test.cpus, test.most)
			}
		}
		if visits != test.visits || slices.Min(last) <= rounds-test.pause {
			t.Errorf("%d CPUs, %d in a round: %d visits, want %d; one was last visited in round %d",
				test.cpus, test.most, visits, test.visits, slices.Min(last))
		}
	}
}
