package harness

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/finwait/finwait/peers"
)

// whoEndsTCP says what is known of who ends TCP at the address that a peer has reached, where no
// kernel tells: it is the sockets of that party that are measured. sought: this host's kernel was
// asked for the server's socket, and has none.
func whoEndsTCP(r *peers.Record, sought bool) (notes []string) {
	address, err := netip.ParseAddrPort(r.Server)
	switch own := err == nil && isOwn(address.Addr()); {
	case own && sought:
		return append(notes, "the address is one of this host, but not the server's socket: something here passes the "+
			"connections on, such as a published port of a container; it may end TCP itself")
	case own:
		return nil
	}
	names := "its response has no Server or Via header"
	if r.AnsweredBy != "" {
		names = "its response has " + r.AnsweredBy
	}
	text := fmt.Sprintf("what is measured is the socket of whoever ends TCP at %s (%s)", r.Server, names)
	if strings.Contains(r.AnsweredBy, "Via: ") {
		return append(notes, text+": a proxy has passed it on")
	}
	return append(notes, text+": whether a proxy is in between cannot be told from here")
}

// isOwn reports whether an address is one of this host.
func isOwn(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	list, _ := net.InterfaceAddrs()
	for _, one := range list {
		if ip, is := one.(*net.IPNet); is {
			if own, ok := netip.AddrFromSlice(ip.IP); ok && own.Unmap() == a.Unmap().WithZone("") {
				return true
			}
		}
	}
	return false
}
