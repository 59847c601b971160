package harness

import (
	"slices"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Scenario is one case of the catalogue. It is data that no run changes.
type Scenario struct {
	ID     string                // family/name; it never changes
	Title  string                // one sentence that says what the peer does
	Needs  []evidence.Capability // without one of these it cannot be played, and is skipped
	Labels []string
	Query  string // is added to the query of the URL
	Script peers.Script
	Crowd  []Crowd      // further peers; a peers.JoinBarrier in each script starts them at the same time
	Alone  bool         // it disturbs others, which start when its peers have left the barrier
	Stops  bool         // it stops the server, and so has a server of its own or comes last
	Rules  []rules.Rule // those that it is judged by

	// Asks are the ids of those of its rules that it exists for: no other scenario, or few, make
	// happen what they are about. They decide whether there is a pass. If one of them could not
	// be measured, the scenario is skipped, whatever else was kept; if none of them is kept,
	// because all are moot or only measured, it is info. An INFO rule is asked only where no
	// other rule asks the same: it can make a skip, and never a pass. Empty: all of its rules.
	Asks []string
}

// Crowd is a number of peers that play the same script.
type Crowd struct {
	Kind   string // one word for the peers, such as "polite"; empty: no report needs it
	Count  int
	Script peers.Script
}

// Family returns the part of the id before the first slash.
func (s *Scenario) Family() string {
	family, _, _ := strings.Cut(s.ID, "/")
	return family
}

// Clauses returns the clauses of the scenario's rules, each once, in their order.
func (s *Scenario) Clauses() []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range s.Rules {
		if !seen[r.Clause] {
			seen[r.Clause] = true
			out = append(out, r.Clause)
		}
	}
	return out
}

// asks tells whether the scenario exists for the rule.
func (s *Scenario) asks(r rules.Rule) bool {
	if len(s.Asks) == 0 {
		return r.ID != rules.Alive.ID
	}
	return slices.Contains(s.Asks, r.ID)
}

// needsOwnServer tells whether each play gets a server of its own if finwait starts the server.
func (s *Scenario) needsOwnServer() bool { return s.Alone || s.Stops }

// rulesWithAlive returns the rules for a scenario that does not stop its server: its own, and
// that the server is alive afterwards.
func (s *Scenario) rulesWithAlive() []rules.Rule { return append(slices.Clone(s.Rules), rules.Alive) }

// crowdSize returns how many peers the scenario has besides the one that plays Script.
func (s *Scenario) crowdSize() int {
	n := 0
	for _, c := range s.Crowd {
		n += c.Count
	}
	return n
}
