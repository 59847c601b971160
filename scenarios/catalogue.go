// Package scenarios is the catalogue: it says what each peer does, and by which rules
// the server is judged. It is data: a family of scenarios is a file, and what several
// scripts have in common is in scripts.go. Ids are stable: none is ever renamed.
package scenarios

import (
	"slices"

	"github.com/finwait/finwait/harness"
)

// All is the whole catalogue, in the order of its families.
func All() []*harness.Scenario {
	return slices.Concat(Sanity(), PeerClose(), BadClose(), Violation(), Linger(), Abnormal(),
		Handshake(), TLS(), ServerClose(), Terminate(), Kick(), Keepalive(), Shutdown(CrowdSize))
}

// Sized is the catalogue in which n peers are connected to each server that is stopped.
func Sized(n int) []*harness.Scenario {
	list := slices.DeleteFunc(All(), func(s *harness.Scenario) bool { return s.Family() == "shutdown" })
	return append(list, Shutdown(n)...)
}

// The labels.
const (
	hang       = "hang"       // the peer keeps the connection open
	dark       = "dark"       // the peer vanishes: it drops every packet from the server
	privileged = "privileged" // the peer needs CAP_NET_ADMIN
	malformed  = "malformed"  // the peer breaks RFC 6455
	tcp        = "tcp"        // the peer ends TCP without a closing handshake, or stops in the opening one
)
