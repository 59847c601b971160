package hostile

import "github.com/gobwas/ws"

// resets lists the servers that send RST, each at another stage.
func resets() []Misbehaviour {
	return []Misbehaviour{
		{"rst-on-accept", "resets every connection that it accepts", 0, (*conn).reset},
		{"rst-on-accept-later", "resets every connection that it accepts, from the second connection on", 1, (*conn).reset},
		{"rst-in-response", "sends half of a response, then resets", 1, rstInResponse},
		{"rst-after-101", "resets right after its response", 0, rstAfter101},
		{"rst-after-frame", "resets right after its first frame", 0, rstAfterFrame},
		{"rst-in-close", "answers the first frame with half of a Close, then resets", 0, rstInClose},
	}
}

func rstInResponse(c *conn) {
	if c.request() != nil {
		c.writeText(response)
		c.reset()
	}
}

func rstAfter101(c *conn) {
	if c.upgrade() {
		c.reset()
	}
}

func rstAfterFrame(c *conn) {
	if c.upgrade() {
		c.frame(ws.NewTextFrame([]byte("hello")))
		c.reset()
	}
}

func rstInClose(c *conn) {
	if c.upgrade() && c.nextFrame() != nil {
		c.write(0x88, 20, 3)
		c.reset()
	}
}
