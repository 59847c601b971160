package reference

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// maxHead is the longest request head in bytes; a longer one gets 431.
const maxHead = 64 << 10

var errHeadTooLong = errors.New("the request head is too long")

// open does the opening handshake. A request that is wrong, incomplete or late gets
// an HTTP status, and open returns errRefused. A peer that left without sending a
// byte gets no status.
func (c *conn) open() error {
	head, err := c.readHead()
	if !errors.Is(err, errDeadline) {
		c.deadline = time.Time{} // a closing from here on sets its own deadline
	}
	response, ok := []byte(nil), false
	switch {
	case err == nil:
		response, ok = upgrade(head)
	case errors.Is(err, errDeadline):
		response = refusal(http.StatusRequestTimeout)
	case errors.Is(err, errStopping):
		response = refusal(http.StatusServiceUnavailable)
	case errors.Is(err, errHeadTooLong):
		response = refusal(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, io.EOF) && len(head) > 0:
		response = refusal(http.StatusBadRequest)
	default:
		return err
	}
	if !ok {
		c.onRefusal(c, response, err == nil)
		return errRefused
	}
	if err := c.write(response); err != nil {
		return err
	}
	now := time.Now()
	c.opened, c.lastReceived, c.lastPing = true, now, now
	c.log("opened", 0, "")
	query := c.query(head)
	c.token = query.Get("finwait")
	if command := query.Get("finwait-open"); command != "" {
		return c.onWelcome(c, command)
	}
	return nil
}

// refuse sends an HTTP status. An error of the write is ignored.
func (c *conn) refuse(status []byte, _ bool) { _ = c.write(status) }

// readHead reads the request up to its blank line and not one byte more, because
// frames may follow in the same segment.
func (c *conn) readHead() (head []byte, err error) {
	for !bytes.HasSuffix(head, []byte("\n\r\n")) && !bytes.HasSuffix(head, []byte("\n\n")) {
		line, err := c.in.ReadSlice('\n')
		head = append(head, line...)
		if len(head) > maxHead {
			return head, errHeadTooLong
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return head, err
		}
	}
	return head, nil
}

// upgrade makes the response to a complete request head. ok: it is a 101.
func upgrade(head []byte) (response []byte, ok bool) {
	var b bytes.Buffer
	_, err := ws.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(head), &b})
	if b.Len() == 0 { // not even a request line
		return refusal(http.StatusBadRequest), false
	}
	return b.Bytes(), err == nil
}

func refusal(status int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		status, http.StatusText(status))
}
