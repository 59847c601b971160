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
	Measured   Outcome = "measured"   // INFO: a figure, no judgement
	Unmeasured Outcome = "unmeasured" // a capability is missing: Finding.Missing
	Moot       Outcome = "moot"       // the precondition of the rule did not occur; Got says which
	NotJudged  Outcome = "off"        // the rule's weight is Off
)

// Finding is one rule's outcome on one record. Check fills the outcome and
// what was seen; the harness fills in the rule and its weight.
type Finding struct {
	Rule    Rule
	Weight  Weight // in force; empty: that of the rule's grade
	Outcome Outcome
	Want    string // what the rule asks for, with the limit in force
	Got     string // what was seen; never empty
	Missing evidence.Capability
	Known   *KnownFailure // the entry that is about a breach that would fail; nil: there is none
	Lapsed  bool          // its date is over
}

// Excused tells whether a breach is known, and so does not count.
func (f Finding) Excused() bool { return f.Known != nil && !f.Lapsed }

// Weighs tells what the finding does to its scenario: Fails, Warns, or, where it is
// no breach or an excused one, nothing: empty.
func (f Finding) Weighs() Weight {
	switch {
	case f.Outcome != Breached, f.Excused():
		return ""
	case f.Weight == "":
		return f.Rule.Grade.usual()
	}
	return f.Weight
}

// Grading is the rule's grade, with the weight where that is not the usual one:
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
