package harness

import (
	"slices"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Scenario is one case of the catalogue: data, never changed by a run.
type Scenario struct {
	ID     string // family/name, stable for ever
	Title  string // one sentence: what the peer does
	Needs  []evidence.Capability
	Labels []string
	Query  string // added to the URL's query
	Script peers.Script
	Crowd  []Crowd // peers besides the one that Script plays; a peers.JoinBarrier of each starts them at the same time
	Alone  bool    // it disturbs others: they start when its peers have left the barrier
	Stops  bool    // it stops the server, and so has one of its own or comes last
	Rules  []rules.Rule
	Asks   string // id of the rule without which it is no pass: where that is moot, it is measured; empty: any rule makes it one
}

// Crowd is a number of peers that do the same.
type Crowd struct {
	Kind   string // in a word, such as "polite"; empty where nobody asks
	Count  int
	Script peers.Script
}

// Family is the part of the id before the first slash.
func (s *Scenario) Family() string {
	family, _, _ := strings.Cut(s.ID, "/")
	return family
}

// Clauses lists where the scenario's rules come from, each once, in order.
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

// ownsServer tells whether each play gets a server of its own, where finwait starts it.
func (s *Scenario) ownsServer() bool { return s.Alone || s.Stops }

// judgedBy are the rules of a scenario that leaves the server to others.
func (s *Scenario) judgedBy() []rules.Rule { return append(slices.Clone(s.Rules), rules.Alive) }

// others is the size of the crowd.
func (s *Scenario) others() int {
	n := 0
	for _, c := range s.Crowd {
		n += c.Count
	}
	return n
}
