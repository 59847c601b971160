package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
)

var day = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)

// breaks are rules whose outcomes a test gives, and that a breach of fails.
func breaks(outcomes map[string]rules.Outcome) (out []rules.Rule) {
	for _, id := range slices.Sorted(maps.Keys(outcomes)) {
		out = append(out, rules.Rule{ID: id, Grade: rules.Budget,
			Check: func(*evidence.Record, rules.Profile) rules.Finding {
				return rules.Finding{Outcome: outcomes[id], Got: "x"}
			}})
	}
	return out
}

// TestKnownFailures: a breach is excused where an entry that is in force names its
// rule and its scenario; whatever else is broken fails.
func TestKnownFailures(t *testing.T) {
	known := func(ruleIDs string, until time.Time, ids ...string) *rules.KnownFailure {
		return &rules.KnownFailure{Pattern: "a/*", IDs: ids, Rules: strings.Fields(ruleIDs), Reason: "why",
			Until: until, Where: "finwait.yaml:3"}
	}
	over := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	type outcomes = map[string]rules.Outcome
	for name, c := range map[string]struct {
		known   []*rules.KnownFailure
		was     outcomes
		weights rules.Weights
		want    Verdict
		told    string // excused and lapsed rules
	}{
		"all that is broken is known": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached, "R35": rules.Kept}, nil, Known, "R36 excused"},
		"something else is broken": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached, "R34": rules.Breached}, nil, Fail, "R36 excused"},
		"a list of rules": {[]*rules.KnownFailure{known("R36 R34", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached, "R34": rules.Breached}, nil, Known, "R34 excused, R36 excused"},
		"two entries": {
			[]*rules.KnownFailure{known("R36", time.Time{}, "a/b"), known("R34", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached, "R34": rules.Breached}, nil, Known, "R34 excused, R36 excused",
		},
		"another scenario": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/c")},
			outcomes{"R36": rules.Breached}, nil, Fail, ""},
		"over": {[]*rules.KnownFailure{known("R36", over, "a/b")},
			outcomes{"R36": rules.Breached}, nil, Fail, "R36 lapsed"},
		"over, and another is not": {[]*rules.KnownFailure{known("R36", over, "a/b"),
			known("R36", time.Time{}, "a/b")}, outcomes{"R36": rules.Breached}, nil, Known, "R36 excused"},
		"in force, and another is not": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b"),
			known("R36", over, "a/b")}, outcomes{"R36": rules.Breached}, nil, Known, "R36 excused"},
		"it only warns": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached}, rules.Weights{"R36": rules.Warns}, Warn, ""},
		"known, and another warns": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b")},
			outcomes{"R36": rules.Breached, "R34": rules.Breached}, rules.Weights{"R34": rules.Warns}, Known, "R36 excused"},
		"nothing is broken": {[]*rules.KnownFailure{known("R36", time.Time{}, "a/b")},
			outcomes{"R36": rules.Kept}, nil, Pass, ""},
	} {
		r := &Result{Scenario: &Scenario{ID: "a/b"}}
		r.judge(breaks(c.was), rules.Profile{Weights: c.weights}, c.known)
		var told []string
		for _, f := range r.Findings {
			if f.Known != nil {
				told = append(told, f.Rule.ID+map[bool]string{true: " lapsed", false: " excused"}[f.Lapsed])
			}
		}
		if r.Verdict != c.want || strings.Join(told, ", ") != c.told {
			t.Errorf("%s: %s, %q; want %s, %q", name, r.Verdict, told, c.want, c.told)
		}
	}
}

func TestKnownUntil(t *testing.T) {
	for _, c := range []struct {
		until, now time.Time
		over       bool
	}{
		{time.Time{}, day, false},
		{day, day.Add(23*time.Hour + 59*time.Minute), false},
		{day, day.Add(24 * time.Hour), true},
	} {
		if got := (&rules.KnownFailure{Until: c.until}).Over(c.now); got != c.over {
			t.Errorf("until %s, at %s: over %t", c.until, c.now, got)
		}
	}
}

// TestDisprove: an entry that no scenario bears out any more fails the first that it
// matches; nothing is said where one may yet break the rule.
func TestDisprove(t *testing.T) {
	type plays = []rules.Outcome
	for name, c := range map[string]struct {
		runs []plays // of a/0, a/1 and so on; nil: it was not selected
		want string  // what fails, and what is told of it
	}{
		"kept everywhere": {[]plays{{rules.Kept}, {rules.Kept}},
			"a/0: R36 is kept in a/0, a/1: take it out of the known failures"},
		"kept in one, moot in another": {[]plays{{rules.Moot}, {rules.Kept}, {rules.NotJudged}},
			"a/0: R36 is kept in a/1: take it out of the known failures"},
		"kept in many": {[]plays{{rules.Kept}, {rules.Kept}, {rules.Kept}, {rules.Kept}, {rules.Kept}},
			"a/0: R36 is kept in a/0, a/1, a/2 and 2 more: take it out of the known failures"},
		"broken in one":      {[]plays{{rules.Kept}, {rules.Breached}}, ""},
		"broken in one play": {[]plays{{rules.Kept, rules.Kept, rules.Breached}}, ""},
		"kept in each play": {[]plays{{rules.Kept, rules.Kept}},
			"a/0: R36 is kept in a/0: take it out of the known failures"},
		"judged nowhere":          {[]plays{{rules.Moot}, {rules.Unmeasured}, {rules.NotJudged}}, ""},
		"unmeasured in one":       {[]plays{{rules.Kept}, {rules.Unmeasured}}, ""},
		"one was not selected":    {[]plays{{rules.Kept}, nil}, ""},
		"one was not carried out": {[]plays{{rules.Kept}, {""}}, ""},
	} {
		b := &board{run: &Run{}, slots: map[string]*slot{}, results: make(chan *Result, 10)}
		k := &rules.KnownFailure{Pattern: "a/*", Rules: []string{"R36"}, Reason: "why", Where: "finwait.yaml:3"}
		for i, outcomes := range c.runs {
			id := fmt.Sprintf("a/%d", i)
			k.IDs = append(k.IDs, id)
			var plays []*Result
			for _, o := range outcomes {
				r := &Result{Scenario: &Scenario{ID: id}, Verdict: Errored}
				if o != "" {
					r.judge(breaks(map[string]rules.Outcome{"R36": o}), rules.Profile{}, []*rules.KnownFailure{k})
				}
				plays = append(plays, r)
			}
			if plays != nil {
				b.slots[id] = &slot{index: len(b.run.Results), plays: plays, result: worst(plays)}
				b.run.Results = append(b.run.Results, b.slots[id].result)
			}
		}
		was := slices.Clone(b.run.Results)
		failStaleEntries(b, []*rules.KnownFailure{k})
		close(b.results)
		got := ""
		for r := range b.results {
			last := r.Findings[len(r.Findings)-1]
			got += r.Scenario.ID + ": " + last.Got
			if r.Verdict != Fail || !r.Corrected || last.Weighs() != rules.Fails || r != b.run.Results[0] || r != b.slots["a/0"].result {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got == "" && !slices.Equal(was, b.run.Results) {
			t.Errorf("%s: results were changed", name)
		}
	}
}

// TestKnownInRepetitions: a play that breaks something new is worse than one whose
// breach is known.
func TestKnownInRepetitions(t *testing.T) {
	known := []*rules.KnownFailure{{IDs: []string{"a/b"}, Rules: []string{"R36"}}}
	var plays []*Result
	for _, rule := range []string{"R36", "R35", "R36"} {
		r := &Result{Scenario: &Scenario{ID: "a/b"}}
		r.judge(breaks(map[string]rules.Outcome{rule: rules.Breached}), rules.Profile{}, known)
		plays = append(plays, r)
	}
	if got := worst(plays); got.Verdict != Fail || got.Findings[0].Rule.ID != "R35" {
		t.Errorf("%s, %s", got.Verdict, got.Findings[0].Rule.ID)
	}
	if got := worst(plays[:1]); got.Verdict != Known {
		t.Errorf("%s", got.Verdict)
	}
}
