package harness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/rules"
)

// Listed tells whether an entry of the known failures is about one of the breaches.
func (r *Result) Listed() bool {
	return slices.ContainsFunc(r.Findings, func(f rules.Finding) bool { return f.Known != nil })
}

// knownFailure is the rule that the list of known failures is true.
const knownFailure = "known-failure"

// disprove fails the scenarios at which entries of the known failures stand that no
// longer apply: for each, the first that it matches, of which a corrected result is
// given out. Nothing is said of an entry where a scenario that it matches was not
// selected, or could not be carried out: that one may break the rule.
func disprove(b *board, known []*rules.KnownFailure) {
	results := map[string]*Result{}
	for _, r := range b.run.Results {
		results[r.Scenario.ID] = r
	}
	disproved := map[string][]rules.Finding{}
	for _, k := range known {
		for _, rule := range k.Rules {
			if kept := keptIn(k, rule, results); len(kept) > 0 {
				disproved[k.IDs[0]] = append(disproved[k.IDs[0]], rules.Finding{
					Rule: rules.Rule{ID: knownFailure, Grade: rules.Budget, Clause: k.Where, Text: "what is known to fail fails"}, Weight: rules.Fails, Outcome: rules.Breached,
					Want: fmt.Sprintf("%s is broken in %s, for %s", rule, k.Pattern, k.Reason),
					Got:  fmt.Sprintf("%s is kept in %s: take it out of the known failures", rule, few(kept)),
				})
			}
		}
	}
	for _, r := range slices.Clone(b.run.Results) {
		findings := disproved[r.Scenario.ID]
		if findings == nil {
			continue
		}
		again := *r
		again.Findings = append(slices.Clone(again.Findings), findings...)
		again.Verdict, again.Missing, again.Err = Fail, nil, ""
		b.correct(&again)
	}
}

// keptIn are the scenarios that judged the rule of a known failure, where none breaks it; else none.
func keptIn(k *rules.KnownFailure, rule string, results map[string]*Result) (kept []string) {
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

// few names three of several at most.
func few(ids []string) string {
	if len(ids) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:3], ", "), len(ids)-3)
	}
	return strings.Join(ids, ", ")
}
