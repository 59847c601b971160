package peers

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/gobwas/ws"
)

// The opcodes (RFC 6455, 5.2).
const (
	OpContinuation = byte(ws.OpContinuation)
	OpText         = byte(ws.OpText)
	OpBinary       = byte(ws.OpBinary)
	OpClose        = byte(ws.OpClose)
	OpPing         = byte(ws.OpPing)
	OpPong         = byte(ws.OpPong)
)

// Frame is a frame that a peer sends: right by default, wrong where a field
// says so. Nothing is validated.
type Frame struct {
	Opcode   byte
	Part     bool // FIN bit 0
	RSV      byte // the three reserved bits, RSV1 is 4
	Unmasked bool
	Payload  []byte
	Announce uint64 // length in the header where it is not the payload's; needs Wide
	Wide     bool   // length in a wider form than needed: 16 bits, or 64 where Announce is set
}

// Text is a text message in one frame.
func Text(s string) Frame { return Frame{Opcode: OpText, Payload: []byte(s)} }

// Filler is a text message of n bytes.
func Filler(n int) Frame { return Text(strings.Repeat("f", n)) }

// Ping is a Ping frame.
func Ping(s string) Frame { return Frame{Opcode: OpPing, Payload: []byte(s)} }

// CloseFrame is a Close frame with a code and a reason of any length.
func CloseFrame(code uint16, reason string) Frame {
	return CloseBody(append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// CloseBody is a Close frame with these bytes as its body.
func CloseBody(body []byte) Frame { return Frame{Opcode: OpClose, Payload: body} }

// maskingKey is that of the examples in RFC 6455, 5.7, so that a script sends the
// same bytes in each run. (A browser must not: 10.3.)
var maskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// Encode returns the frame's bytes, masked unless Unmasked.
func (f Frame) Encode() []byte {
	b := []byte{f.RSV<<4 | f.Opcode, 0}
	if !f.Part {
		b[0] |= 0x80
	}
	n := uint64(len(f.Payload))
	switch {
	case f.Wide && f.Announce > 0:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, f.Announce)
	case n > math.MaxUint16:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, n)
	case n > 125 || f.Wide:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = byte(n)
	}
	if f.Unmasked {
		return append(b, f.Payload...)
	}
	b[1] |= 0x80
	b = append(b, maskingKey[:]...)
	start := len(b)
	b = append(b, f.Payload...)
	ws.Cipher(b[start:], maskingKey, 0)
	return b
}

// String is the frame's text in a script and in the trace. Two frames that are
// encoded differently have different texts.
func (f Frame) String() string {
	var s strings.Builder
	switch {
	case f.Opcode == OpClose && len(f.Payload) > 2:
		s.WriteString(Close{Body: f.Payload[:2]}.String() + " " + quote(f.Payload[2:]))
	case f.Opcode == OpClose:
		s.WriteString(Close{Body: f.Payload}.String())
	default:
		s.WriteString(opcodeName(f.Opcode))
		if len(f.Payload) > 0 || f.Opcode < OpClose {
			s.WriteString(" " + quote(f.Payload))
		}
	}
	if f.Part {
		s.WriteString(" fin=0")
	}
	if f.RSV != 0 {
		fmt.Fprintf(&s, " rsv=%03b", f.RSV)
	}
	if f.Unmasked {
		s.WriteString(" unmasked")
	}
	switch {
	case f.Wide && f.Announce > 0:
		fmt.Fprintf(&s, " length=%#x", f.Announce)
	case f.Wide:
		s.WriteString(" length=16-bit")
	}
	return s.String()
}

func opcodeName(op byte) string {
	switch op {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	return fmt.Sprintf("opcode-%d", op)
}

// quote identifies a payload of any length in a short text of ASCII characters.
func quote(payload []byte) string {
	switch n := len(payload); {
	case n <= 40:
		return fmt.Sprintf("%+q", payload)
	case bytes.Count(payload, payload[:1]) == n:
		return fmt.Sprintf("%+q x %d", payload[:1], n)
	default:
		sum := sha256.Sum256(payload)
		return fmt.Sprintf("of %d bytes (SHA-256 %x)", n, sum[:6])
	}
}

// brief quotes a short payload in ASCII and tells the length of a long one.
func brief(payload []byte, length uint64) string {
	if length <= 40 && uint64(len(payload)) == length {
		return fmt.Sprintf("%+q", payload)
	}
	return fmt.Sprintf("of %d bytes", length)
}
