package reference

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// violation is a breach of the protocol by the peer, with the close code for it
// (RFC 6455, 7.4.1).
type violation struct {
	code ws.StatusCode
	err  error
}

// Violations that ws.CheckHeader does not detect.
var (
	errLengthForm = errors.New("length is not in its minimal form")
	errTooLong    = errors.New("message is too long")
	errText       = errors.New("text is not UTF-8")
	errCloseBody  = errors.New("close body has one byte")
	errCloseCode  = errors.New("close code must not be sent")
	errReason     = errors.New("close reason is not UTF-8")
)

// verdict says what the server does about a violation.
type verdict int

const (
	fail verdict = iota // fail the connection
	skip                // ignore the frame
	pass                // process the frame as if it were correct
)

var errSkip = errors.New("the frame is ignored")

// readFrames reads frames and echoes messages until the connection must end.
func (c *conn) readFrames() error {
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

// check checks a header before the payload is read (5.2, 5.4, 5.5, 10.4).
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
		err = c.judge(ws.StatusProtocolError, err)
	}
	if err == nil && (form == 126 && h.Length < 126 || form == 127 && h.Length < 1<<16) {
		err = c.judge(ws.StatusProtocolError, errLengthForm)
	}
	if err == nil && h.OpCode.IsData() && h.Length > room {
		err = c.judge(ws.StatusMessageTooBig, errTooLong)
	}
	return err
}

// judge decides about a violation. It returns nil to process the frame, errSkip to
// ignore it, and another error to end the connection.
func (c *conn) judge(code ws.StatusCode, err error) error {
	c.log("violation", code, err.Error())
	switch c.onViolation(c, violation{code, err}) {
	case pass:
		return nil
	case skip:
		return errSkip
	}
	return errFailed
}

// fail fails the connection (7.1.7). It sends the code to the peer and processes
// nothing more.
func (c *conn) fail(o violation) verdict {
	c.startCloseTimer()
	if c.send(closeFrame(o.code, o.err.Error())) != nil {
		c.abort()
	}
	return fail
}

// frame processes a frame whose header is valid.
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
		return c.peerClose(b)
	}
	return nil
}

// data processes one frame of a message, and echoes the message when it is complete.
// The buffer grows with the bytes that come, not with the announced length.
func (c *conn) data(h ws.Header, payload io.Reader) error {
	if h.OpCode != ws.OpContinuation {
		c.opcode, c.validated = h.OpCode, 0
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
		n := completeUTF8(message[c.validated:], h.Fin)
		if !utf8.Valid(message[c.validated : c.validated+n]) {
			if err := c.judge(ws.StatusInvalidFramePayloadData, errText); err != nil {
				return err
			}
		}
		c.validated += n
	}
	if !h.Fin {
		return nil
	}
	if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && c.opcode == ws.OpText && !c.closeSent {
		return c.obey(command)
	}
	return c.send(ws.NewFrame(c.opcode, true, message))
}

// peerClose processes the peer's Close frame.
func (c *conn) peerClose(body []byte) error {
	code, reason := parseClose(body)
	c.log("close-received", code, reason)
	if c.receivedClose == nil {
		c.receivedClose = &body
	}
	var err error
	switch {
	case len(body) == 1:
		err = c.judge(ws.StatusProtocolError, errCloseBody)
	case len(body) > 0 && !sendable(code):
		err = c.judge(ws.StatusProtocolError, errCloseCode)
	case !utf8.ValidString(reason):
		err = c.judge(ws.StatusInvalidFramePayloadData, errReason)
	}
	if err != nil {
		return err
	}
	return c.onClose(c, body)
}

// answer sends a Close frame with the code of the peer's Close, or without a code
// if that had none (5.5.1).
func (c *conn) answer(body []byte) error {
	c.startCloseTimer()
	if err := c.send(ws.NewCloseFrame(body[:min(2, len(body))])); err != nil {
		return err
	}
	return errAnswered
}

// sendable reports whether a Close frame may carry the code (7.4, and the IANA
// registry for 1012 to 1014).
func sendable(code ws.StatusCode) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

func closeFrame(code ws.StatusCode, reason string) ws.Frame {
	return ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))
}

// parseClose splits the body of a Close frame. It returns 1005 if there is no code.
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

// completeUTF8 is the length of b without an incomplete character at its end. If b
// is final, nothing can complete the character, and the length is that of b.
func completeUTF8(b []byte, final bool) int {
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
