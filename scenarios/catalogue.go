// Package scenarios is the catalogue: what each peer does and which rules it
// is judged by. It is pure data; whoever reads it reads the specification.
// Ids are stable: a later insertion never renames one.
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

// Sized is the catalogue with n peers in each crowd that a server is stopped
// with.
func Sized(n int) []*harness.Scenario {
	list := slices.DeleteFunc(All(), func(s *harness.Scenario) bool { return s.Family() == "shutdown" })
	return append(list, Shutdown(n)...)
}

// The labels.
const (
	hang       = "hang"       // the peer keeps the connection
	dark       = "dark"       // the peer vanishes
	privileged = "privileged" // needs CAP_NET_ADMIN
	malformed  = "malformed"  // the peer breaks RFC 6455
	tcp        = "tcp"        // TCP ends, or the handshake stops
)
