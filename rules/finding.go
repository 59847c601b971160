package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
)

// Outcome is what a check found.
type Outcome string

// The outcomes.
const (
	Kept       Outcome = "kept"
	Breached   Outcome = "breached"
	Measured   Outcome = "measured"   // the rule is INFO, and judges nothing
	Unmeasured Outcome = "unmeasured" // a capability is missing: Finding.Missing
	Moot       Outcome = "moot"       // what the rule is about did not occur: Finding.Got says what
	NotJudged  Outcome = "off"        // the rule's weight is Off
)

// Finding is the outcome of one rule on one record. Check sets Outcome, Want, Got and
// Missing; [Rule.Judge] adds Rule and Weight, and [Finding.Excuse] the known failure.
type Finding struct {
	Rule    Rule
	Weight  Weight // the weight in force; empty: the usual weight of the rule's grade
	Outcome Outcome
	Want    string              // what the rule asks for, with the limit in force
	Got     string              // what was seen; never empty
	Missing evidence.Capability // why the outcome is Unmeasured
	Known   *KnownFailure       // the entry that lists this breach as known; nil: no entry does
	Lapsed  bool                // the last day of Known is over
}

// Excused reports whether the breach is a known failure, which does not count.
func (f Finding) Excused() bool { return f.Known != nil && !f.Lapsed }

// Weighs returns what the finding does to its scenario: Fails or Warns. It is empty where
// there is no breach, or an excused one.
func (f Finding) Weighs() Weight {
	switch {
	case f.Outcome != Breached, f.Excused():
		return ""
	case f.Weight == "":
		return f.Rule.Grade.usual()
	}
	return f.Weight
}

// Grading is the rule's grade and, where its weight is not the usual one, the weight:
// "SHOULD as fail".
func (f Finding) Grading() string {
	if f.Weight == "" || f.Weight == f.Rule.Grade.usual() || f.Rule.Grade == Info {
		return string(f.Rule.Grade)
	}
	return fmt.Sprintf("%s as %s", f.Rule.Grade, f.Weight)
}

// within is a limit in words.
func within(limit time.Duration) string { return "within " + figures.Format(limit) }

func kept(want, got string) Finding {
	return Finding{Outcome: Kept, Want: want, Got: got}
}

func breached(want, got string) Finding {
	return Finding{Outcome: Breached, Want: want, Got: got}
}

func judged(ok bool, want, got string) Finding {
	if ok {
		return kept(want, got)
	}
	return breached(want, got)
}

func measured(got string) Finding {
	return Finding{Outcome: Measured, Got: got}
}

func moot(got string) Finding {
	return Finding{Outcome: Moot, Got: got}
}

func unmeasured(c evidence.Capability, got string) Finding {
	return Finding{Outcome: Unmeasured, Missing: c, Got: got}
}
