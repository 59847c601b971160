//go:build !linux

package hostile

import "net"

// shrinkBacklog cannot be done here: the backlog takes who connects.
func shrinkBacklog(*net.TCPListener) {}
