//go:build !linux

package hostile

import "net"

// shrinkBacklog does nothing on this platform: the backlog accepts every connection.
func shrinkBacklog(*net.TCPListener) {}
