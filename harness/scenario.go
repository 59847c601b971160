package harness

import (
	"strings"

	"github.com/finwait/finwait/peers"
)

// Capability is something a scenario or a rule needs of the target or of this
// host. Where it is missing, the result says so by this name.
type Capability string

// The capabilities.
const (
	Echo     Capability = "echo"          // the target answers a text message with the same text
	Local    Capability = "local"         // the kernel of this host shows the target's end of the connection
	Dark     Capability = "vanish"        // this host can drop a connection's incoming segments (IP_MINTTL)
	NetAdmin Capability = "CAP_NET_ADMIN" // socket filters on TCP, TCP_REPAIR
)

// Scenario is one case of the catalogue: data, never changed by a run.
type Scenario struct {
	ID     string // family/name, stable for ever
	Title  string // one sentence: what the peer does
	Needs  []Capability
	Labels []string
	Query  string // added to the URL's query
	Script peers.Script
	Rules  []Rule
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
