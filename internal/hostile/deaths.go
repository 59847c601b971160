package hostile

import "time"

// deaths lists the servers that die or stop accepting.
func deaths() []Misbehaviour {
	return []Misbehaviour{
		{"dies-second", "dies when its second connection comes", 1, die},
		{"dies-halfway", "dies when its hundredth connection comes", 99, die},
		{"dies-later", "dies 300 ms after its second connection", 1, dieLater},
		{"stops-accepting", "accepts two connections and no more: the kernel answers no further SYN (Linux)", 1, stopAccepting},
	}
}

// die closes the listener and resets every connection.
func die(c *conn) { c.server.die() }

func dieLater(c *conn) {
	select {
	case <-time.After(300 * time.Millisecond):
		c.server.die()
	case <-c.server.closing:
	}
}

// stopAccepting keeps the listener open with the shortest backlog. When the backlog is
// full, the kernel drops a SYN (listen(2), tcp(7)).
func stopAccepting(c *conn) {
	shrinkBacklog(c.server.listener)
	_ = c.server.listener.SetDeadline(time.Unix(1, 0)) // ends accept
	c.hold()
}
