package rules

import (
	"fmt"
	"slices"
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

// Over tells whether it is excused no more.
func (k *KnownFailure) Over(now time.Time) bool {
	return !k.Until.IsZero() && !now.Before(k.Until.AddDate(0, 0, 1))
}

// String is the reason with its date.
func (k *KnownFailure) String() string {
	if k.Until.IsZero() {
		return k.Reason
	}
	return fmt.Sprintf("%s (until %s)", k.Reason, k.Until.Format(time.DateOnly))
}

// Excuse notes at a breach that would fail its scenario which entry it is known by:
// one that is in force, if there is one.
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
