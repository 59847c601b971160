package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
)

// Grade is how binding a requirement is.
type Grade string

// The grades.
const (
	Must   Grade = "MUST"   // a breach fails
	Should Grade = "SHOULD" // a breach warns; it fails when strict
	Budget Grade = "BUDGET" // operators ask it of a server, and may give it another weight; a breach fails
	Info   Grade = "INFO"   // measured, never judged
)

// Weight is what a breach of a rule does to its scenario.
type Weight string

// The weights.
const (
	Fails Weight = "fail"
	Warns Weight = "warn"
	Off   Weight = "off" // the rule is not judged
)

// usual is the weight of a rule whose weight nobody has set.
func (g Grade) usual() Weight {
	if g == Should {
		return Warns
	}
	return Fails
}

// Weight returns the weight of a rule: the one that was set for it, or else the one of its
// grade.
func (p Profile) Weight(r Rule) Weight {
	switch weight, set := p.Weights[r.ID]; {
	case set:
		return weight
	case p.Strict:
		return Fails
	}
	return r.Grade.usual()
}

// Rule is one requirement, judged on a record. It keeps no state.
type Rule struct {
	ID     string // stable: the requirement's id, with a suffix where a requirement has several rules
	Req    string // id of the requirement in docs/requirements.md; empty: the rule is the user's own
	Grade  Grade
	Clause string // the source of the requirement, such as "RFC 6455, 5.5.1"
	Text   string // the requirement in one sentence
	Check  check

	// Limit is how long the server process may hold its socket, from the trigger; nil: the rule sets
	// no such limit. 0: none is declared.
	Limit func(Profile) time.Duration
}

// check is the type of [Rule.Check].
type check = func(*evidence.Record, Profile) Finding

// Judge checks the rule on a record, unless its weight is Off.
func (r Rule) Judge(record *evidence.Record, p Profile) Finding {
	f, weight := Finding{Outcome: NotJudged, Got: "not judged: its weight is off"}, p.Weight(r)
	if weight != Off {
		f = r.Check(record, p)
	}
	f.Rule, f.Weight = r, weight
	return f
}

// Weights are the weights that were set for rules, by the ids of the rules.
type Weights map[string]Weight

// String lists the weights: "R34 warn, R36 off".
func (w Weights) String() string {
	var out []string
	for _, rule := range slices.Sorted(maps.Keys(w)) {
		out = append(out, fmt.Sprintf("%s %s", rule, w[rule]))
	}
	return strings.Join(out, ", ")
}
