package servers

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
)

// givenPorts are the ports that freePort has returned. The kernel would offer such a port
// again until its server listens, which can take seconds.
var givenPorts struct {
	sync.Mutex
	ports map[int]bool
}

// freePort returns a port on which nobody listens at the host, and each port only once. If
// host is a name, or no address of this machine, the port is free at the loopback addresses
// of both families, or of the family that the machine has.
func freePort(host string) (int, error) {
	givenPorts.Lock()
	defer givenPorts.Unlock()
	if len(givenPorts.ports) > 10_000 || givenPorts.ports == nil {
		givenPorts.ports = map[int]bool{}
	}
	addresses := []string{host}
	if _, err := netip.ParseAddr(host); err != nil || !canListen(host, 0) {
		addresses = []string{"127.0.0.1", "::1"}
		absent := func(address string) bool { return !canListen(address, 0) }
		if present := slices.DeleteFunc(slices.Clone(addresses), absent); len(present) > 0 {
			addresses = present
		}
	}
	for {
		l, err := net.Listen("tcp", net.JoinHostPort(addresses[0], "0"))
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		taken := func(a string) bool { return !canListen(a, port) }
		if !givenPorts.ports[port] && !slices.ContainsFunc(addresses[1:], taken) {
			givenPorts.ports[port] = true
			return port, nil
		}
	}
}

// canListen tells whether this process can listen on the port. With port 0 it tells whether
// this machine has the address.
func canListen(address string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// Loopback is where a server listens that is started, where no URL says otherwise: {port}
// at the loopback address of IPv4, or of IPv6 on a host that has that alone.
func Loopback() string {
	if canListen("127.0.0.1", 0) {
		return "127.0.0.1:{port}"
	}
	return "[::1]:{port}"
}
