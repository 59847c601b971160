package hostile_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/hostile"
	"github.com/finwait/finwait/internal/quiet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(new(quiet.Machine).Tests(m)) }

const (
	request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	hello = "\x81\x82\x00\x00\x00\x00hi" // a text, masked by zeros
)

// mostRead is the number of bytes from which a test calls it a flood.
const mostRead = 4 << 20

// How a connection ends for the client.
const (
	fin   = "FIN"
	rst   = "RST"
	open  = "open"  // nothing more comes
	flood = "flood" // bytes were still coming
	noTLS = "noTLS" // the bytes are not a TLS record
)

// TestMisbehaviours: every server misbehaves as its name says, and serves correctly before.
func TestMisbehaviours(t *testing.T) {
	want := map[string]struct{ begin, end string }{ // what comes after the head of a 101, or without one
		"endless-data":        {"\x81\x7e\x0f\xa0datadata", flood},
		"endless-fragments":   {"\x00\x04part\x00\x04part", flood},
		"endless-pings":       {"\x89\x00\x89\x00", flood},
		"endless-pings-later": {"\x89\x00\x89\x00", flood},
		"steady-pings":        {"\x89\x01?\x89\x01?", flood},
		"steady-closes":       {"\x88\x07\x03\xe9again\x88\x07\x03\xe9again", flood},
		"endless-closes":      {"\x88\x07\x03\xe9again\x88\x07\x03\xe9again", flood},
		"endless-head":        {"HTTP/1.1 101 Switching Protocols\r\nX-More: yyy", flood},
		"endless-noise":       {"\xff\xff\xff", flood},
		"no-handshake":        {"", open},
		"no-handshake-later":  {"", open},
		"half-response":       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", open},
		"megabyte-header":     {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: yyy", open},
		"not-http":            {hostile.Escapes, fin},
		"not-http-later":      {hostile.Escapes, fin},
		"hostile-reason":      {"\x88\x27\x03\xe8" + hostile.Escapes, fin},
		"hostile-text":        {"\x81\x25" + hostile.Escapes, open},
		"close-at-once":       {"\x88\x02\x03\xe9", open},
		"frame-2^63":          {"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00x", open},
		"frame-2^63-1":        {"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx", open},
		"no-echo":             {"", open},
		"never-reads":         {"", open},
		"rst-on-accept":       {"", rst},
		"rst-on-accept-later": {"", rst},
		"rst-in-response":     {"", rst},
		"rst-after-101":       {"", rst},
		"rst-after-frame":     {"", rst},
		"rst-in-close":        {"", rst},
		"dies-second":         {"", rst},
		"dies-halfway":        {"", rst},
		"dies-later":          {"", rst},
		"stops-accepting":     {"", open},

		"tls-no-handshake":       {"", open},
		"tls-no-handshake-later": {"", open},
		"tls-drip":               {"", open},
		"tls-garbage":            {"", noTLS},
		"tls-garbage-later":      {"", noTLS},
		"tls-after-close-notify": {"", fin}, // as a client sees it that reads TLS only
		"tls-endless-data":       {"\x81\x7e\x0f\xa0datadata", flood},
	}
	for _, m := range hostile.All() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			s, err := hostile.Start(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range m.Polite {
				if got, end := talk(t, s.URL, time.Second, hello+"\x88\x80\x00\x00\x00\x00"); got != "\x81\x02hi\x88\x00" || end != fin {
					t.Fatalf("a polite connection: %q, %s", got, end)
				}
			}
			got, end := talk(t, s.URL, 500*time.Millisecond, hello)
			w, ok := want[m.Name]
			if !ok || !strings.HasPrefix(got, w.begin) || end != w.end {
				t.Errorf("%.80q, %s; want %.80q, %s", got, end, w.begin, w.end)
			}
		})
	}
	if _, err := hostile.Start("no-such-server"); err == nil {
		t.Error("a server of an unknown name started")
	}
}

// talk sends the request and text. It returns what came until the connection ended or
// the time was over.
func talk(t *testing.T, url string, limit time.Duration, text string) (got, end string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.Trim(url, "ws:/"))
	if errors.Is(err, syscall.ECONNRESET) {
		return "", rst
	} else if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	if strings.HasPrefix(url, "wss") {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	switch _, err := io.WriteString(c, request+text); {
	case errors.Is(err, os.ErrDeadlineExceeded): // of the TLS handshake
		return "", open
	case errors.As(err, new(tls.RecordHeaderError)):
		return "", noTLS
	case err != nil: // a reset that came before tells itself once
		return "", rst
	}
	b, last := []byte(nil), time.Time{}
	for buf := make([]byte, 64<<10); err == nil && len(b) < mostRead; {
		var n int
		if n, err = c.Read(buf); n > 0 {
			b, last = append(b, buf[:n]...), time.Now()
		}
	}
	got = string(b)
	if head, rest, ok := strings.Cut(got, "\r\n\r\n"); ok && strings.HasPrefix(head, "HTTP/1.1 101") && strings.Contains(head, "Accept") {
		got = rest
	}
	switch {
	case err == nil:
		return got, flood
	case errors.Is(err, io.EOF):
		return got, fin
	case errors.Is(err, syscall.ECONNRESET):
		return got, rst
	case errors.As(err, new(tls.RecordHeaderError)):
		return got, noTLS
	case !errors.Is(err, os.ErrDeadlineExceeded):
		t.Errorf("ended with %v", err)
		return got, ""
	case time.Since(last) < limit/2:
		return got, flood
	}
	return got, open
}
