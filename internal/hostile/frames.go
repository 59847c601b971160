package hostile

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// frames lists the servers that send hostile frames.
func frames() []Misbehaviour {
	return []Misbehaviour{
		{"hostile-reason", "answers the first frame with a Close whose reason would break an unescaped report", 0, hostileReason},
		{"hostile-text", "answers every frame with a text that would break an unescaped report", 0, hostileText},
		{"close-at-once", "sends a Close right after its 101", 0, closeAtOnce},
		{"frame-2^63", "announces a frame of 2^63 bytes, one more than RFC 6455 allows", 0, announce(1 << 63)},
		{"frame-2^63-1", "announces a frame of 2^63-1 bytes", 0, announce(1<<63 - 1)},
		{"no-echo", "answers a Close frame but echoes nothing", 0, noEcho},
		{"never-reads", "upgrades, then neither reads nor writes", 0, neverReads},
	}
}

func hostileReason(c *conn) {
	if c.upgrade() && c.nextFrame() != nil {
		c.close(append([]byte{3, 232}, Escapes...)...)
	}
}

func hostileText(c *conn) {
	if !c.upgrade() {
		return
	}
	for c.nextFrame() != nil {
		c.frame(ws.NewTextFrame([]byte(Escapes)))
	}
}

func closeAtOnce(c *conn) {
	if c.upgrade() {
		c.close(3, 233)
		c.drain()
	}
}

// announce sends the header of a frame with this length, and one byte of its payload.
func announce(length uint64) func(*conn) {
	head := append(binary.BigEndian.AppendUint64([]byte{0x82, 127}, length), 'x')
	return func(c *conn) {
		if c.upgrade() {
			c.write(head...)
			c.drain()
		}
	}
}

func noEcho(c *conn) { c.serve(false) }

func neverReads(c *conn) {
	if c.upgrade() {
		c.hold()
	}
}
