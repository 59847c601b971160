package sockets

import (
	"testing"
	"time"
)

// TestMarks: what a CPU tells between two marks happened between their closings.
func TestMarks(t *testing.T) {
	m := marks{cpus: map[int]*queue{}}
	var closed, over [4]time.Time
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
		dated(cpu, after, over[3], time.Now().Add(time.Second))
	}
	never := time.Time{}
	dated(1, never, closed[0], over[0])
	tells(0)
	dated(1, closed[0], closed[1], over[1])
	tells(2) // the event of 1 was lost
	dated(1, closed[2], closed[3], over[3])
	now(2, never) // another CPU, without marks
	m.add(2, 5, func() { now(2, never) })
	m.forget()
	now(1, closed[2]) // not by a mark that may have been lost
}
