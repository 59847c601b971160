package servers

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
)

// handed are the ports that servers were told to listen on. The kernel may give
// a port again until its server listens, which can take seconds.
var handed struct {
	sync.Mutex
	ports map[int]bool
}

// freePort gives a port that nobody listens on at the host, each only once. Where that
// is a name, or no address of this host, the port is free at the loopback addresses of
// both families, or of the one that there is.
func freePort(host string) (int, error) {
	handed.Lock()
	defer handed.Unlock()
	if len(handed.ports) > 10_000 || handed.ports == nil {
		handed.ports = map[int]bool{}
	}
	addresses := []string{host}
	if _, err := netip.ParseAddr(host); err != nil || !free(host, 0) {
		addresses = []string{"127.0.0.1", "::1"}
		if there := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !free(a, 0) }); len(there) > 0 {
			addresses = there
		}
	}
	for {
		l, err := net.Listen("tcp", net.JoinHostPort(addresses[0], "0"))
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		taken := func(a string) bool { return !free(a, port) }
		if !handed.ports[port] && !slices.ContainsFunc(addresses[1:], taken) {
			handed.ports[port] = true
			return port, nil
		}
	}
}

// free tells whether one can listen there; port 0: whether there is the address.
func free(address string, port int) bool {
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
	if free("127.0.0.1", 0) {
		return "127.0.0.1:{port}"
	}
	return "[::1]:{port}"
}
