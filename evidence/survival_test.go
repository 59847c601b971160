package evidence_test

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func ended(from, to float64) evidence.Survival {
	return evidence.Survival{Until: seconds(to), Bound: seconds(to) - seconds(from)}
}

func lives(at float64) evidence.Survival {
	return evidence.Survival{Until: seconds(at), Censored: true}
}

func TestExcludes(t *testing.T) {
	const slack = 350 * time.Millisecond
	for _, x := range []struct {
		name string
		a, b evidence.Survival
		want bool
	}{
		{"around it", ended(29.5, 30.5), ended(30, 30.001), false},
		{"it is later than the interval", ended(20, 29), ended(30, 30.001), true},
		{"it is earlier than the interval", ended(31, 32), ended(30, 30.001), true},
		{"later by less than the slack", ended(20, 29.7), ended(30, 30.001), false},
		{"later by more than the slack", ended(20, 29.6), ended(30, 30.001), true},
		{"earlier by less than the slack", ended(30.3, 31), ended(30, 30.001), false},
		{"its bound reaches the interval", ended(28, 29), ended(28.9, 31), false},
		{"its bound is longer than it is", ended(-1, 0.5), ended(0.7, 0.701), false},
		{"neither ended", lives(30), lives(35), false},
		{"it ended, and the last look is before", lives(29), ended(30, 30.001), false},
		{"it ended, and the last look is after", lives(33), ended(30, 30.001), true},
		{"it did not end, and the interval is before", ended(20, 30), lives(35), true},
		{"it did not end, and the interval reaches the last look", ended(20, 35), lives(35), false},
	} {
		if got, other := x.a.Excludes(x.b, slack), x.b.Excludes(x.a, slack); got != x.want || other != x.want {
			t.Errorf("%s: %t, the other way round %t", x.name, got, other)
		}
	}
}

func TestSurvivalString(t *testing.T) {
	for want, s := range map[string]evidence.Survival{
		"2.00 s":                    ended(1.951, 2),
		"30.0 s":                    ended(29.701, 30),
		"between 29.5 s and 30.5 s": ended(29.5, 30.5),
		"within 310 ms":             ended(-1, 0.31),
		"> 35.0 s":                  lives(35),
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
