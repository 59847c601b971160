package harness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/rules"
)

// Listed tells whether a known failure lists one of the breaches.
func (r *Result) Listed() bool {
	return slices.ContainsFunc(r.Findings, func(f rules.Finding) bool { return f.Known != nil })
}

// knownFailureRule is the id of the rule that a known failure still fails.
const knownFailureRule = "known-failure"

// failStaleEntries fails one scenario for each entry of the known failures that no longer
// applies: the first scenario that the entry matches gets a corrected result. An entry is not
// stale if a scenario that it matches was not selected or could not be carried out, because
// that scenario may break the rule.
func failStaleEntries(b *board, known []*rules.KnownFailure) {
	results := map[string]*Result{}
	for _, r := range b.run.Results {
		results[r.Scenario.ID] = r
	}
	stale := map[string][]rules.Finding{} // by the id of the scenario that is failed
	for _, k := range known {
		for _, rule := range k.Rules {
			if kept := scenariosThatKeep(k, rule, results); len(kept) > 0 {
				stale[k.IDs[0]] = append(stale[k.IDs[0]], rules.Finding{
					Rule: rules.Rule{
						ID: knownFailureRule, Grade: rules.Budget, Clause: k.Where, Text: "what is known to fail fails",
					},
					Weight: rules.Fails, Outcome: rules.Breached,
					Want: fmt.Sprintf("%s is broken in %s, for %s", rule, k.Pattern, k.Reason),
					Got:  fmt.Sprintf("%s is kept in %s: take it out of the known failures", rule, atMostThree(kept)),
				})
			}
		}
	}
	for _, r := range slices.Clone(b.run.Results) {
		findings := stale[r.Scenario.ID]
		if findings == nil {
			continue
		}
		corrected := *r
		corrected.Findings = append(slices.Clone(corrected.Findings), findings...)
		corrected.Verdict, corrected.Missing, corrected.Err = Fail, nil, ""
		b.replaceResult(&corrected)
	}
}

// scenariosThatKeep returns the scenarios in which the rule of a known failure is kept. It
// returns none if one that the entry matches breaks the rule or does not judge it.
func scenariosThatKeep(k *rules.KnownFailure, rule string, results map[string]*Result) (kept []string) {
	for _, id := range k.IDs {
		r := results[id]
		if r == nil {
			return nil
		}
		for _, p := range r.allPlays() {
			if p.Verdict == Errored || len(p.Findings) == 0 { // it was not played
				return nil
			}
			for _, f := range p.Findings {
				switch {
				case f.Rule.ID != rule:
				case f.Outcome == rules.Breached, f.Outcome == rules.Unmeasured:
					return nil
				case f.Outcome == rules.Kept && !slices.Contains(kept, id):
					kept = append(kept, id)
				}
			}
		}
	}
	return kept
}

// atMostThree names three of the ids at most, and counts the others.
func atMostThree(ids []string) string {
	if len(ids) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:3], ", "), len(ids)-3)
	}
	return strings.Join(ids, ", ")
}
