package hostile

import (
	"bytes"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// floods lists the servers that never stop sending.
func floods() []Misbehaviour {
	return []Misbehaviour{
		{"endless-data", "sends texts without end", 0, flood(ws.NewTextFrame(bytes.Repeat([]byte("data"), 1000)))},
		{"endless-fragments", "sends a message that never ends", 0, flood(ws.NewFrame(ws.OpContinuation, false, []byte("part")))},
		{"endless-pings", "sends empty pings without end", 0, flood(ws.NewPingFrame(nil))},
		{"endless-pings-later", "sends empty pings without end, from the second connection on", 1, flood(ws.NewPingFrame(nil))},
		{"endless-closes", "sends Close frames without end", 0, flood(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "again")))},
		{"endless-head", "sends a response head without end", 1, endlessHead},
		{"endless-noise", "sends bytes without end and without a line break instead of a response", 1, endlessNoise},
		{"steady-pings", "sends a ping each millisecond without end", 0, steady(ws.NewPingFrame([]byte("?")))},
		{"steady-closes", "sends a Close frame each millisecond without end", 0,
			steady(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "again")))},
	}
}

func flood(f ws.Frame) func(*conn) {
	b := ws.MustCompileFrame(f)
	return func(c *conn) {
		if c.upgrade() {
			c.writeForever(b, 0)
		}
	}
}

func steady(f ws.Frame) func(*conn) {
	b := ws.MustCompileFrame(f)
	return func(c *conn) {
		if c.upgrade() {
			c.writeForever(b, time.Millisecond)
		}
	}
}

func endlessHead(c *conn) {
	c.writeText("HTTP/1.1 101 Switching Protocols\r\n")
	c.writeForever([]byte("X-More: "+strings.Repeat("y", 4000)+"\r\n"), 0)
}

func endlessNoise(c *conn) { c.writeForever(bytes.Repeat([]byte{0xff}, 4000), 0) }
