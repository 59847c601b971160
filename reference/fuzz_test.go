package reference

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// FuzzConn: whatever bytes come behind the handshake, the connection ends,
// though the peer never answers a ping.
func FuzzConn(f *testing.F) {
	for _, x := range exchanges {
		if x.fault == "" && len(x.send) < 1000 {
			f.Add([]byte(x.send), x.half)
		}
	}
	r := serve(f, Options{CloseTimeout: lastMoment, PingInterval: lastMoment, MaxMessage: 1 << 16}, nil)
	f.Fuzz(func(t *testing.T, sent []byte, half bool) {
		t.Parallel()
		p := open(t, r.addr, "")
		_, _ = p.Write(sent) // the server may have ended before
		if half {
			_ = p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}
		_ = p.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := io.Copy(io.Discard, p.in); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("still open after 2s")
		}
	})
}

// FuzzUpgrade: every request head gets an HTTP response, 101 if and only if
// it is accepted.
func FuzzUpgrade(f *testing.F) {
	f.Add([]byte(request))
	f.Add([]byte("GET / HTTP/1.1\n\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		response, ok := upgrade(head)
		if !bytes.HasPrefix(response, []byte("HTTP/1.1 ")) || ok != bytes.HasPrefix(response, []byte("HTTP/1.1 101 ")) {
			t.Errorf("accepted %t with %q", ok, response)
		}
	})
}
