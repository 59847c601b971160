package rules

import (
	"fmt"
	"slices"
	"time"
)

// KnownFailure is an entry in the list of known failures: rules that some scenarios are
// known to break. Such a breach does not fail the run. The run fails once none of the
// scenarios breaks the rule any more, so that the list stays true.
type KnownFailure struct {
	Pattern string   // the pattern of scenario ids, as the user wrote it
	IDs     []string // the ids of all scenarios that match the pattern, in the order of the catalogue
	Rules   []string // the ids of the rules
	Reason  string
	Until   time.Time // the last day, UTC, on which the breach is excused; zero: it always is
	Where   string    // where the user wrote the entry, such as "finwait.yaml:12"
}

// names reports whether the entry lists this rule in this scenario.
func (k *KnownFailure) names(scenario, rule string) bool {
	return slices.Contains(k.IDs, scenario) && slices.Contains(k.Rules, rule)
}

// Over reports whether the last day of the entry is over.
func (k *KnownFailure) Over(now time.Time) bool {
	return !k.Until.IsZero() && !now.Before(k.Until.AddDate(0, 0, 1))
}

// String is the reason, with the last day if there is one.
func (k *KnownFailure) String() string {
	if k.Until.IsZero() {
		return k.Reason
	}
	return fmt.Sprintf("%s (until %s)", k.Reason, k.Until.Format(time.DateOnly))
}

// Excuse looks up an entry for a breach that would fail its scenario, and prefers one that
// is in force.
func (f *Finding) Excuse(known []*KnownFailure, scenario string, now time.Time) {
	if f.Weighs() != Fails {
		return
	}
	for _, k := range known {
		if k.names(scenario, f.Rule.ID) && (f.Known == nil || f.Lapsed) {
			f.Known, f.Lapsed = k, k.Over(now)
		}
	}
}
