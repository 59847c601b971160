package reference

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// offence is a breach of the protocol and the code that fits it (RFC 6455,
// 7.4.1).
type offence struct {
	code ws.StatusCode
	err  error
}

// Offences that ws.CheckHeader does not know.
var (
	errLengthForm = errors.New("length is not in its minimal form")
	errTooLong    = errors.New("message is too long")
	errText       = errors.New("text is not UTF-8")
	errCloseBody  = errors.New("close body has one byte")
	errCloseCode  = errors.New("close code must not be sent")
	errReason     = errors.New("close reason is not UTF-8")
)

// verdict is what follows from an offence.
type verdict int

const (
	fail verdict = iota // the connection ends
	skip                // the frame is passed over
	pass                // the frame counts as right
)

var errSkip = errors.New("the frame is passed over")

// talk reads frames and echoes messages until the connection has to end.
func (c *conn) talk() error {
	for {
		head, err := c.in.Peek(ws.MinHeaderSize)
		if err != nil {
			return err
		}
		form := head[1] & 0x7f
		h, err := ws.ReadHeader(c.in)
		payload := io.LimitedReader{R: c.in, N: h.Length}
		if err = c.check(h, form, err); err == nil {
			err = c.frame(h, &payload)
		}
		if errors.Is(err, errSkip) {
			_, err = io.Copy(io.Discard, &payload)
		}
		if err != nil {
			return err
		}
	}
}

// check looks at a header before its payload is read (5.2, 5.4, 5.5, 10.4).
func (c *conn) check(h ws.Header, form byte, err error) error {
	state, room := ws.StateServerSide, c.MaxMessage
	if c.fragmented {
		state = state.Set(ws.StateFragmented)
		room -= int64(c.message.Len())
	}
	if err == nil {
		err = ws.CheckHeader(h, state)
	} else if !errors.Is(err, ws.ErrHeaderLengthMSB) {
		return err
	}
	if err != nil {
		err = c.offend(ws.StatusProtocolError, err)
	}
	if err == nil && (form == 126 && h.Length < 126 || form == 127 && h.Length < 1<<16) {
		err = c.offend(ws.StatusProtocolError, errLengthForm)
	}
	if err == nil && h.OpCode.IsData() && h.Length > room {
		err = c.offend(ws.StatusMessageTooBig, errTooLong)
	}
	return err
}

// offend has an offence judged: nil takes the frame for right, errSkip passes
// over it, anything else ends the connection.
func (c *conn) offend(code ws.StatusCode, err error) error {
	c.log("offence", code, err.Error())
	switch c.onOffence(c, offence{code, err}) {
	case pass:
		return nil
	case skip:
		return errSkip
	}
	return errFailed
}

// fail fails the connection (7.1.7): the peer learns the code, and nothing it
// sends is processed any more.
func (c *conn) fail(o offence) verdict {
	c.begin()
	if c.send(closeFrame(o.code, o.err.Error())) != nil {
		c.abort()
	}
	return fail
}

// frame takes a frame whose header is right.
func (c *conn) frame(h ws.Header, payload io.Reader) error {
	if !h.OpCode.IsControl() {
		return c.data(h, payload)
	}
	b := make([]byte, h.Length) // 125 at most
	if _, err := io.ReadFull(payload, b); err != nil {
		return err
	}
	unmask(h, b)
	switch h.OpCode {
	case ws.OpPing:
		return c.send(ws.NewPongFrame(b))
	case ws.OpClose:
		return c.closing(b)
	}
	return nil
}

// data takes one frame of a message and echoes the message when it is whole.
// The buffer grows with what comes, not with what is announced.
func (c *conn) data(h ws.Header, payload io.Reader) error {
	if h.OpCode != ws.OpContinuation {
		c.opcode, c.checked = h.OpCode, 0
		c.message.Reset()
	}
	c.fragmented = !h.Fin
	begin := c.message.Len()
	if n, err := c.message.ReadFrom(payload); err != nil {
		return err
	} else if n < h.Length {
		return io.ErrUnexpectedEOF
	}
	message := c.message.Bytes()
	unmask(h, message[begin:])
	if c.opcode == ws.OpText {
		n := whole(message[c.checked:], h.Fin)
		if !utf8.Valid(message[c.checked : c.checked+n]) {
			if err := c.offend(ws.StatusInvalidFramePayloadData, errText); err != nil {
				return err
			}
		}
		c.checked += n
	}
	if !h.Fin {
		return nil
	}
	if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && c.opcode == ws.OpText && !c.closed {
		return c.obey(command)
	}
	return c.send(ws.NewFrame(c.opcode, true, message))
}

// closing takes the peer's Close.
func (c *conn) closing(body []byte) error {
	code, reason := parseClose(body)
	c.log("close-received", code, reason)
	if c.received == nil {
		c.received = &body
	}
	var err error
	switch {
	case len(body) == 1:
		err = c.offend(ws.StatusProtocolError, errCloseBody)
	case len(body) > 0 && !sendable(code):
		err = c.offend(ws.StatusProtocolError, errCloseCode)
	case !utf8.ValidString(reason):
		err = c.offend(ws.StatusInvalidFramePayloadData, errReason)
	}
	if err != nil {
		return err
	}
	return c.onClose(c, body)
}

// answer echoes the code of the peer's Close, or that it had none (5.5.1).
func (c *conn) answer(body []byte) error {
	c.begin()
	if err := c.send(ws.NewCloseFrame(body[:min(2, len(body))])); err != nil {
		return err
	}
	return errAnswered
}

// sendable tells whether a Close frame may carry the code (7.4, and the IANA
// registry for 1012 to 1014).
func sendable(code ws.StatusCode) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

func closeFrame(code ws.StatusCode, reason string) ws.Frame {
	return ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))
}

// parseClose gives 1005 for a body without a code.
func parseClose(body []byte) (ws.StatusCode, string) {
	if len(body) < 2 {
		return ws.StatusNoStatusRcvd, ""
	}
	return ws.StatusCode(binary.BigEndian.Uint16(body)), string(body[2:])
}

func unmask(h ws.Header, b []byte) {
	if h.Masked {
		ws.Cipher(b, h.Mask, 0)
	}
}

// whole is the length of b without a character at its end that is cut and
// may still be completed; nothing follows a final b.
func whole(b []byte, final bool) int {
	for n := len(b) - 1; !final && n >= 0 && n > len(b)-utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n]) {
			if !utf8.FullRune(b[n:]) {
				return n
			}
			break
		}
	}
	return len(b)
}
