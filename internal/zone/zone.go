// Package zone handles the zone ids of IPv6 addresses. A zone id names an interface of this host
// (RFC 4007, 11).
package zone

import (
	"net"
	"regexp"
	"strconv"
)

// zoned matches an IPv6 address with a zone id, with or without a port after it.
var zoned = regexp.MustCompile(`^(\[?[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)%[^\]]*`)

// Without returns the host without its zone id, which must not be sent (RFC 6874, 4).
func Without(host string) string { return zoned.ReplaceAllString(host, "$1") }

// Index returns the index of the interface that the zone id names, by name or number; 0: none.
func Index(zone string) uint32 {
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	index, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(index)
}
