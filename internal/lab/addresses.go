package lab

import "net/netip"

// The addresses of the link's ends, which exist in the lab alone. The server sees NATIP4
// where there is a NAT.
var (
	ClientIP4 = netip.MustParseAddr("10.99.0.1")
	ServerIP4 = netip.MustParseAddr("10.99.0.2")
	NATIP4    = netip.MustParseAddr("10.99.0.3")
	ClientIP6 = netip.MustParseAddr("fd99::1")
	ServerIP6 = netip.MustParseAddr("fd99::2")
)
