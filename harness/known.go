package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// KnownFailure is rules that some scenarios are known to break. A breach of one of
// them does not fail the run; that none of the scenarios breaks it any more does, so
// that the list stays true.
type KnownFailure struct {
	Pattern string   // of scenarios, as it was given
	IDs     []string // of all scenarios of the catalogue that it matches, in its order
	Rules   []string // ids
	Reason  string
	Until   time.Time // the last day, UTC, on which it is excused; zero: always
	Where   string    // where that stands, such as "finwait.yaml:12"
}

// names tells whether the entry is about a rule in a scenario.
func (k *KnownFailure) names(scenario, rule string) bool {
	return slices.Contains(k.IDs, scenario) && slices.Contains(k.Rules, rule)
}

// over tells whether it is excused no more.
func (k *KnownFailure) over(now time.Time) bool {
	return !k.Until.IsZero() && !now.Before(k.Until.AddDate(0, 0, 1))
}

// String is the reason with its date.
func (k *KnownFailure) String() string {
	if k.Until.IsZero() {
		return k.Reason
	}
	return fmt.Sprintf("%s (until %s)", k.Reason, k.Until.Format(time.DateOnly))
}

// excuse notes at a breach that would fail its scenario which entry it is known by:
// one that is in force, if there is one.
func (f *Finding) excuse(known []*KnownFailure, scenario string, now time.Time) {
	if f.Weighs() != Fails {
		return
	}
	for _, k := range known {
		if k.names(scenario, f.Rule.ID) && (f.Known == nil || f.Lapsed) {
			f.Known, f.Lapsed = k, k.over(now)
		}
	}
}

// Listed tells whether an entry of the known failures is about one of the breaches.
func (r *Result) Listed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Known != nil })
}

// knownFailure is the rule that the list of known failures is true.
const knownFailure = "known-failure"

// disprove fails the scenarios at which entries of the known failures stand that no
// longer apply: for each, the first that it matches, of which a corrected result is
// given out. Nothing is said of an entry where a scenario that it matches was not
// selected, or could not be carried out: that one may break the rule.
func (b *Batch) disprove() {
	results := map[string]*Result{}
	for _, r := range b.run.Results {
		results[r.Scenario.ID] = r
	}
	disproved := map[string][]Finding{}
	for _, k := range b.known {
		for _, rule := range k.Rules {
			if kept := k.kept(rule, results); len(kept) > 0 {
				disproved[k.IDs[0]] = append(disproved[k.IDs[0]], Finding{
					Rule: Rule{ID: knownFailure, Grade: Budget, Clause: k.Where, Text: "what is known to fail fails"}, Weight: Fails, Outcome: Breached,
					Want: fmt.Sprintf("%s is broken in %s, for %s", rule, k.Pattern, k.Reason),
					Got:  fmt.Sprintf("%s is kept in %s: take it out of the known failures", rule, few(kept)),
				})
			}
		}
	}
	for i, r := range b.run.Results {
		findings := disproved[r.Scenario.ID]
		if findings == nil {
			continue
		}
		again := *r
		again.Findings = append(slices.Clone(again.Findings), findings...)
		again.Verdict, again.Missing, again.Err, again.Corrected = Fail, nil, "", true
		slot := b.slots[r.Scenario.ID]
		slot.mu.Lock()
		slot.result = &again
		slot.mu.Unlock()
		b.run.Results[i] = &again
		b.results <- &again
	}
}

// kept are the scenarios that judged the rule, where none breaks it; else none.
func (k *KnownFailure) kept(rule string, results map[string]*Result) (kept []string) {
	for _, id := range k.IDs {
		r := results[id]
		if r == nil {
			return nil
		}
		for _, p := range r.plays() {
			if p.Verdict == Errored || p.Verdict == Skip {
				return nil
			}
			for _, f := range p.Findings {
				switch {
				case f.Rule.ID != rule:
				case f.Outcome == Breached, f.Outcome == Unmeasured:
					return nil
				case f.Outcome == Kept && !slices.Contains(kept, id):
					kept = append(kept, id)
				}
			}
		}
	}
	return kept
}

// few names three of several at most.
func few(ids []string) string {
	if len(ids) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:3], ", "), len(ids)-3)
	}
	return strings.Join(ids, ", ")
}
