package harness

import (
	"testing"
	"time"
)

func TestKnownFailure(t *testing.T) {
	day := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		was   Verdict
		until time.Time
		now   time.Time
		want  Verdict
	}{
		{Fail, time.Time{}, day, Known},
		{Fail, day, day.Add(23*time.Hour + 59*time.Minute), Known},
		{Fail, day, day.Add(24 * time.Hour), Fail},
		{Pass, time.Time{}, day, Fail},
		{Warn, time.Time{}, day, Fail},
		{Noted, time.Time{}, day, Fail},
		{Skip, time.Time{}, day, Skip},
		{Errored, time.Time{}, day, Errored},
	} {
		k, r := &KnownFailure{Reason: "why", Until: c.until, Where: "finwait.yaml:3"}, &Result{Verdict: c.was}
		k.excuse(r, c.now)
		if r.Verdict != c.want || r.Known != k {
			t.Errorf("%s until %s, at %s: %s, want %s", c.was, c.until, c.now, r.Verdict, c.want)
		}
		if lapsed := c.was == Fail && c.want == Fail; r.Lapsed() != lapsed {
			t.Errorf("%s until %s, at %s: lapsed %t", c.was, c.until, c.now, r.Lapsed())
		}
		if told := len(r.Findings) == 1; told != (c.was != Fail && c.want == Fail) {
			t.Errorf("%s until %s: %d findings", c.was, c.until, len(r.Findings))
		}
	}
}
