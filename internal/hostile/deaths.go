package hostile

import "time"

// deaths are the servers that are no more, or as good as.
func deaths() []Misbehaviour {
	return []Misbehaviour{
		{"dies-second", "dies of its second connection", 1, die},
		{"dies-halfway", "dies of its hundredth connection", 99, die},
		{"dies-later", "dies 300 ms after its second connection", 1, dieLater},
		{"stops-accepting", "accepts two connections, then no more: a SYN stays unanswered (Linux)", 1, stopAccepting},
	}
}

// die takes the listener and every connection along.
func die(c *conn) { c.server.die() }

func dieLater(c *conn) {
	select {
	case <-time.After(300 * time.Millisecond):
		c.server.die()
	case <-c.server.closing:
	}
}

// stopAccepting leaves the listener open with a backlog of nothing: where it
// is full, the kernel drops a SYN (listen(2), tcp(7)).
func stopAccepting(c *conn) {
	shrinkBacklog(c.server.listener)
	_ = c.server.listener.SetDeadline(time.Unix(1, 0)) // ends accept
	c.hold()
}
