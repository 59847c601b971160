package lab

import (
	"net/netip"
	"sync"
	"time"
)

const (
	firstPort = 40_000 // of those that the NAT gives
	ports     = 20_000
)

// nat translates the addresses of TCP connections over IPv4, and drops all else. It forgets
// a connection on which no packet came for longer than idle. Then it drops the packets of
// both sides, and tells neither.
type nat struct {
	idle time.Duration // 0: it never forgets

	mu      sync.Mutex
	given   int                         // ports given so far
	inside  map[connection]*mapping     // by the client's end
	outside map[netip.AddrPort]*mapping // by the end that the server sees
}

// connection is a connection as its client sees it.
type connection struct{ client, server netip.AddrPort }

type mapping struct {
	connection
	public netip.AddrPort
	last   time.Time // of the last packet, in either direction
}

// out translates a packet from the client. False: it belongs to no known connection, and
// does not open one.
func (n *nat) out(packet []byte, now time.Time) bool {
	segment := tcpOf(packet)
	if segment == nil || packet[0]>>4 != 4 {
		return false
	}
	c := connection{source.of(packet, segment), destination.of(packet, segment)}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.alive(n.inside[c], now)
	if m == nil {
		if segment[13]&(flagSYN|flagACK) != flagSYN {
			return false
		}
		m = n.open(c)
	}
	m.last = now
	source.rewrite(packet, segment, m.public)
	return true
}

// in translates a packet from the server. False: it belongs to no known connection.
func (n *nat) in(packet []byte, now time.Time) bool {
	segment := tcpOf(packet)
	if segment == nil || packet[0]>>4 != 4 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.alive(n.outside[destination.of(packet, segment)], now)
	if m == nil || m.server != source.of(packet, segment) {
		return false
	}
	m.last = now
	destination.rewrite(packet, segment, m.client)
	return true
}

// alive returns the mapping, or nil if it is forgotten.
func (n *nat) alive(m *mapping, now time.Time) *mapping {
	if m == nil || n.idle > 0 && now.Sub(m.last) > n.idle {
		return nil
	}
	return m
}

// open makes a mapping. It gives the ports in turns, so that one is used again only after
// all others were.
func (n *nat) open(c connection) *mapping {
	if n.inside == nil {
		n.inside, n.outside = map[connection]*mapping{}, map[netip.AddrPort]*mapping{}
	}
	m := &mapping{connection: c, public: netip.AddrPortFrom(NATIP4, uint16(firstPort+n.given%ports))}
	n.given++
	if old := n.outside[m.public]; old != nil && n.inside[old.connection] == old {
		delete(n.inside, old.connection)
	}
	n.inside[c], n.outside[m.public] = m, m
	return m
}
