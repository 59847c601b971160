package servers

import (
	"net"
	"strconv"
	"testing"
)

// The port is free at the address that the URL names, and each is given once; a name may
// be of either family.
func TestFreePort(t *testing.T) {
	given := map[int]bool{}
	for host, addresses := range map[string][]string{
		"127.0.0.1":   {"127.0.0.1"},
		"127.0.0.2":   {"127.0.0.2"},
		"::1":         {"::1"},
		"0.0.0.0":     {"0.0.0.0"},
		"localhost":   {"127.0.0.1", "::1"},
		"192.0.2.1":   {"127.0.0.1", "::1"}, // of no host (RFC 5737)
		"example.org": {"127.0.0.1", "::1"},
	} {
		for range 100 {
			port, err := freePort(host)
			if err != nil || given[port] {
				t.Fatalf("%s: %d, %v", host, port, err)
			}
			given[port] = true
			for _, address := range addresses {
				if !canListen(address, 0) {
					continue
				}
				l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
				if err != nil {
					t.Errorf("%s: %v", host, err)
					continue
				}
				_ = l.Close()
			}
		}
	}
}
