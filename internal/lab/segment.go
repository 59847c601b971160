package lab

import (
	"encoding/binary"
	"net/netip"
)

const (
	protocolTCP = 6 // in the IP header
	protocolUDP = 17
	headerIPv6  = 40 // bytes
	leastTCP    = 20 // bytes of the shortest header

	flagSYN = 0x02 // RFC 9293, 3.1
	flagRST = 0x04
	flagACK = 0x10
)

// tcpOf returns the TCP segment of an IP packet. It is nil where there is none: another
// protocol, IPv6 with extension headers, or a later fragment.
func tcpOf(packet []byte) []byte {
	start := 0
	switch {
	case len(packet) < leastTCP:
		return nil
	case packet[0]>>4 == 4 && packet[9] == protocolTCP && binary.BigEndian.Uint16(packet[6:])&0x1fff == 0:
		start = int(packet[0]&0xf) * 4
	case packet[0]>>4 == 6 && packet[6] == protocolTCP:
		start = headerIPv6
	default:
		return nil
	}
	if len(packet) < start+leastTCP {
		return nil
	}
	return packet[start:]
}

// isTraffic tells whether the packet is of IPv4, or of TCP or UDP over IPv6.
func isTraffic(packet []byte) bool {
	return len(packet) >= leastTCP && (packet[0]>>4 == 4 || packet[6] == protocolTCP || packet[6] == protocolUDP)
}

func isRST(packet []byte) bool {
	segment := tcpOf(packet)
	return segment != nil && segment[13]&flagRST != 0
}

// end is one end of a connection, and where it stands in a packet: the offset of the address
// in the IPv4 header, and that of the port in the TCP header.
type end struct{ address, port int }

var (
	source      = end{12, 0}
	destination = end{16, 2}
)

// of reads the end from a TCP packet of IPv4.
func (e end) of(packet, segment []byte) netip.AddrPort {
	address, _ := netip.AddrFromSlice(packet[e.address : e.address+4])
	return netip.AddrPortFrom(address, binary.BigEndian.Uint16(segment[e.port:]))
}

// rewrite changes the end, and both checksums with it.
func (e end) rewrite(packet, segment []byte, to netip.AddrPort) {
	headerSum, segmentSum := packet[10:12], segment[16:18]
	address := to.Addr().As4()
	for i := 0; i < len(address); i += 2 {
		field, value := packet[e.address+i:], binary.BigEndian.Uint16(address[i:])
		adjust(headerSum, binary.BigEndian.Uint16(field), value)
		adjust(segmentSum, binary.BigEndian.Uint16(field), value) // the pseudo header has it (RFC 9293, 3.1)
		binary.BigEndian.PutUint16(field, value)
	}
	adjust(segmentSum, binary.BigEndian.Uint16(segment[e.port:]), to.Port())
	binary.BigEndian.PutUint16(segment[e.port:], to.Port())
}

// adjust changes a checksum for a field that changes from old to value (RFC 1624, equation 3).
func adjust(sum []byte, old, value uint16) {
	s := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^old) + uint32(value)
	s = s&0xffff + s>>16
	s = s&0xffff + s>>16
	binary.BigEndian.PutUint16(sum, ^uint16(s))
}
