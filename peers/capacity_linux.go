package peers

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// CheckFiles tells, in one line, where this process may not open so many files:
// what needs them stands in front, and the remedy behind.
func CheckFiles(what string, need int) error {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil || files.Cur >= uint64(need) {
		return nil // the failures will tell
	}
	return fmt.Errorf("%s need %d open files, the limit is %d: raise it with ulimit -n %[2]d", what, need, files.Cur)
}

// CheckPorts does so where this host has fewer ports for connections from so many of
// its addresses to one server.
func CheckPorts(what string, need, addresses int) error {
	var first, last int
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scan := fmt.Sscan(string(b), &first, &last); err != nil || scan != nil {
		return nil // the failures will tell
	}
	if ports := (last - first + 1) * addresses; need > ports {
		return fmt.Errorf("%s need %d ports, this host has %d: widen net.ipv4.ip_local_port_range", what, need, ports)
	}
	return nil
}
