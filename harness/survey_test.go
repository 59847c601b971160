package harness

import (
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// TestSurvey plays surveys of a server that lets go of each socket after the same time, and checks
// what they tell: the interval has that time, the limit is decided, and nobody asks in vain.
func TestSurvey(t *testing.T) {
	const never = time.Hour
	limit := func(rules.Profile) time.Duration { return 13 * time.Second }
	for _, c := range []struct {
		end, widest time.Duration
		looks       int // at most
	}{
		{0, 310 * time.Millisecond, 1},
		{200 * time.Millisecond, 310 * time.Millisecond, 1},
		{1200 * time.Millisecond, 1500 * time.Millisecond, 5},
		{5 * time.Second, 1500 * time.Millisecond, 5},
		{10 * time.Second, 1500 * time.Millisecond, 6},
		{12900 * time.Millisecond, 2501 * time.Millisecond, 7},
		{13100 * time.Millisecond, 17 * time.Second, 7},
		{20 * time.Second, 17 * time.Second, 7},
		{25 * time.Second, 17 * time.Second, 7},
		{30 * time.Second, 1001*time.Millisecond + returning, 7},
		{33 * time.Second, 5 * time.Second, 8},
		{never, 0, 8},
	} {
		for _, dark := range []bool{false, true} {
			scenario := &Scenario{Rules: []rules.Rule{{ID: "R"}, {ID: "R0", Limit: func(rules.Profile) time.Duration { return 0 }},
				{ID: "R1", Limit: limit}}, Script: peers.Opened(peers.HoldOpen{})}
			if dark {
				scenario.Script = peers.Opened(peers.GoDark{})
			}
			v := newSurvey(scenario, rules.Profile{Patience: 35 * time.Second}, 8)
			elapsed := simulate(v, c.end)
			held := v.held()
			switch {
			case c.end == never && (!held.Censored || held.Until < 33*time.Second):
				t.Errorf("never, dark %t: %+v", dark, held)
			case c.end != never && (held.Censored || held.Until < c.end || held.Until-held.Bound > c.end || held.Bound > c.widest):
				t.Errorf("%s, dark %t: %+v", c.end, dark, held)
			case len(v.looks) > c.looks:
				t.Errorf("%s, dark %t: %d looks", c.end, dark, len(v.looks))
			case elapsed > 37*time.Second:
				t.Errorf("%s, dark %t: it took %s", c.end, dark, elapsed)
			}
		}
	}
}

// simulate plays a survey in a time of its own, and returns how long it took.
func simulate(v *survey, end time.Duration) (now time.Duration) {
	type witness struct{ asks, at time.Duration } // when, and since its trigger
	var asking []witness
	for range 100 {
		for _, at := range v.next(now, len(asking)) {
			asking = append(asking, witness{now + at, at})
		}
		if len(asking) == 0 {
			return now
		}
		slices.SortFunc(asking, func(a, b witness) int { return int(a.asks - b.asks) })
		w := asking[0]
		asking, now = asking[1:], w.asks
		state := peers.Held
		if w.at >= end {
			state = peers.LetGo
		}
		v.looks = append(v.looks, peers.Look{Asked: w.at, Answered: w.at + time.Millisecond, State: state})
		asking = slices.DeleteFunc(asking, func(w witness) bool {
			needed := v.needs(w.at)
			if !needed {
				v.withdraw()
			}
			return !needed
		})
	}
	panic("the survey has no end")
}

// TestSurveyOfConnectionsThatDiffer: the first witness found its socket let go at once, and the peer
// that is judged found its own held until the end. What is asked then takes no second patience.
func TestSurveyOfConnectionsThatDiffer(t *testing.T) {
	limit := func(rules.Profile) time.Duration { return 13 * time.Second }
	p := rules.Profile{Patience: 35 * time.Second}
	v := newSurvey(&Scenario{Rules: []rules.Rule{{ID: "R", Limit: limit}}}, p, 8)
	v.next(0, 0)
	v.looks = []peers.Look{{Asked: firstLook, Answered: firstLook, State: peers.LetGo}}
	if at := v.next(firstLook, 0); len(at) > 0 {
		t.Errorf("%v after an answer that tells all", at)
	}
	v.looks = append(v.looks, peers.Look{Asked: p.Patience, Answered: p.Patience, State: peers.Held})
	if at := v.next(p.Patience, 0); len(at) > 0 {
		t.Errorf("%v when the patience is over", at)
	}
}

// TestSurveyWithoutAnswers: a survey ends that has no answer, and asks no more than it may.
func TestSurveyWithoutAnswers(t *testing.T) {
	v := newSurvey(&Scenario{}, rules.Profile{Patience: 35 * time.Second}, 4)
	asked := v.next(0, 0)
	for range 10 {
		v.looks = append(v.looks, peers.Look{State: peers.Unknown})
		asked = append(asked, v.next(time.Second, 0)...)
	}
	if len(asked) != 4 || evidence.Combine(v.looks).Observed {
		t.Errorf("%v", asked)
	}
}
