package harness

import (
	"fmt"
	"slices"
	"time"
)

// KnownFailure is a scenario that is known to fail. Its failure does not fail the
// run; that it fails no longer does, so that the list stays true.
type KnownFailure struct {
	Reason string
	Until  time.Time // the last day, UTC, on which it is excused; zero: always
	Where  string    // where that stands, such as "finwait.yaml:12"
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

// knownFailure is the rule that the list of known failures is true.
const knownFailure = "known-failure"

// Lapsed tells whether it fails as is known, and is excused no more.
func (r *Result) Lapsed() bool {
	return r.Verdict == Fail && r.Known != nil && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule.ID == knownFailure })
}

// excuse turns the verdict of a result that is known to fail.
func (k *KnownFailure) excuse(r *Result, now time.Time) {
	r.Known = k
	switch r.Verdict {
	case Fail:
		if !k.over(now) {
			r.Verdict = Known
		}
	case Pass, Warn, Noted:
		r.Findings = append(r.Findings, Finding{
			Rule: Rule{ID: knownFailure, Grade: Budget, Clause: k.Where, Text: "what is known to fail fails"}, Outcome: Breached,
			Want: "it fails, for " + k.Reason, Got: fmt.Sprintf("verdict %s: take it out of the known failures", r.Verdict),
		})
		r.Verdict = Fail
	}
}
