package peers

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// controlBytes is how much of a control frame is at hand: more than it may have (125),
// so that all of a well-formed one is.
const controlBytes = 256

// decoder turns the server's bytes into frames, however they are cut. It
// holds at most a header and the beginning of a payload, whatever the header announces.
type decoder struct {
	messageBytes int // how much of a message is at hand

	head    []byte // bytes of a header not yet complete
	frame   Header
	mask    [4]byte
	payload []byte
	left    uint64 // payload bytes still to come
	inFrame bool

	message Message // the data message under way
	partial bool    // it has more fragments to come

	onFrame   func(h Header, payload []byte) // a frame is complete
	onMessage func(Message)
	malformed func(what string)
}

// feed takes the next bytes. It never fails: what breaks a framing rule is
// reported and read on.
func (d *decoder) feed(b []byte) {
	for len(b) > 0 {
		if !d.inFrame {
			b = d.header(b)
			if !d.inFrame {
				return
			}
		}
		n := int(min(uint64(len(b)), d.left))
		d.keep(b[:n])
		b = b[n:]
		d.left -= uint64(n)
		if d.left == 0 {
			d.inFrame = false
			d.complete()
		}
	}
}

// header consumes header bytes and returns what is behind them; inFrame tells
// whether the header is complete.
func (d *decoder) header(b []byte) []byte {
	for n, c := range b {
		d.head = append(d.head, c)
		if len(d.head) >= 2 && len(d.head) == headerSize(d.head) {
			d.begin(d.head)
			d.head = d.head[:0]
			return b[n+1:]
		}
	}
	return nil
}

func headerSize(b []byte) int {
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

func (d *decoder) begin(head []byte) {
	d.inFrame = true
	d.payload = d.payload[:0]
	if h, err := ws.ReadHeader(bytes.NewReader(head)); err == nil {
		d.frame, d.mask = Header{h.Fin, h.Rsv, byte(h.OpCode), h.Masked, uint64(h.Length)}, h.Mask
	} else { // the most significant bit of a 64-bit length is set
		d.malformed("a 64-bit length has its most significant bit set (RFC 6455, 5.2)")
		d.frame = Header{head[0]&0x80 != 0, head[0] >> 4 & 7, head[0] & 0xf, head[1]&0x80 != 0, binary.BigEndian.Uint64(head[2:])}
	}
	d.left = d.frame.Length
	d.check(head)
}

func (d *decoder) check(head []byte) {
	h := d.frame
	name := opcodeName(h.Opcode)
	if h.Masked {
		d.malformed(name + " frame is masked (RFC 6455, 5.1)")
	}
	if h.RSV != 0 {
		d.malformed(fmt.Sprintf("%s frame has reserved bits %03b without an extension (RFC 6455, 5.2)", name, h.RSV))
	}
	if h.Opcode > OpBinary && h.Opcode < OpClose || h.Opcode > OpPong {
		d.malformed(name + " is reserved (RFC 6455, 5.2)")
	}
	if h.Opcode >= OpClose && (h.Length > 125 || !h.Fin) {
		d.malformed(fmt.Sprintf("control frame %s is fragmented or over 125 bytes: fin=%t, %d bytes (RFC 6455, 5.5)",
			name, h.Fin, h.Length))
	}
	if form := head[1] & 0x7f; form == 126 && h.Length < 126 || form == 127 && h.Length <= 0xffff {
		d.malformed(name + " frame's length is not in its minimal form (RFC 6455, 5.2)")
	}
	if h.Opcode == OpContinuation && !d.partial {
		d.malformed("continuation without a message (RFC 6455, 5.4)")
	}
	if (h.Opcode == OpText || h.Opcode == OpBinary) && d.partial {
		d.malformed("a new message began inside a fragmented one (RFC 6455, 5.4)")
	}
}

func (d *decoder) keep(b []byte) {
	limit := d.messageBytes
	if d.frame.Opcode >= OpClose {
		limit = controlBytes
	}
	if room := limit - len(d.payload); room > 0 {
		d.payload = append(d.payload, b[:min(room, len(b))]...)
	}
}

// complete hands a finished frame on, unmasked where the server masked it.
func (d *decoder) complete() {
	h := d.frame
	payload := bytes.Clone(d.payload)
	if h.Masked {
		ws.Cipher(payload, d.mask, 0)
	}
	if h.Opcode < OpClose {
		d.assemble(h, payload)
	}
	d.onFrame(h, payload)
}

// assemble adds a fragment to its message; a stray one has none.
func (d *decoder) assemble(h Header, payload []byte) {
	switch {
	case h.Opcode != OpContinuation:
		d.message = Message{Text: h.Opcode == OpText}
	case !d.partial:
		return
	}
	d.message.Length += h.Length
	if room := d.messageBytes - len(d.message.Payload); room > 0 {
		d.message.Payload = append(d.message.Payload, payload[:min(room, len(payload))]...)
	}
	d.partial = !h.Fin
	if h.Fin {
		d.onMessage(d.message)
	}
}
