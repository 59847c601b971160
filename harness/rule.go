package harness

// Grade is how much a requirement weighs.
type Grade string

// The grades.
const (
	Must   Grade = "MUST"   // a breach fails
	Should Grade = "SHOULD" // a breach warns; it fails when strict
	Budget Grade = "BUDGET" // a limit that operators set; a breach fails
	Info   Grade = "INFO"   // measured, never judged
)

// Rule is one requirement, judged on a record. It keeps no state.
type Rule struct {
	ID     string // stable: the requirement's id, with a suffix where a requirement has several rules
	Req    string // id in docs/requirements.md; empty: it is a rule of the user's
	Grade  Grade
	Clause string // where it comes from, e.g. "RFC 6455, 5.5.1"
	Text   string // the requirement in one sentence
	Check  func(*Record, Profile) Finding
}

// Outcome is what a check found.
type Outcome string

// The outcomes.
const (
	Kept       Outcome = "kept"
	Breached   Outcome = "breached"
	Measured   Outcome = "measured"   // INFO: a figure, no judgement
	Unmeasured Outcome = "unmeasured" // a capability is missing: Finding.Missing
	Moot       Outcome = "moot"       // the precondition of the rule did not occur; Got says which
)

// Finding is one rule's outcome on one record. Check fills the outcome and
// what was seen; the harness fills in the rule.
type Finding struct {
	Rule    Rule
	Outcome Outcome
	Want    string // what the rule asks for, with the limit in force
	Got     string // what was seen; never empty
	Missing Capability
}
