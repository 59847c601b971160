package peers

import (
	"net/url"
	"strings"
	"testing"
	"unicode"
)

const fuzzKey = "dGhlIHNhbXBsZSBub25jZQ==" // and its accept value: RFC 6455, 1.3

const fuzzResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// receiveAll gives a peer that awaits the response these bytes, cut as in
// [decode].
func receiveAll(t *testing.T, b, cuts []byte) *Peer {
	t.Helper()
	p := newPeer(Options{URL: &url.URL{Path: "/"}})
	p.live.key, p.live.noPong = fuzzKey, true
	for len(b) > 0 {
		n := len(b)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])), cuts[1:]
		}
		p.receive(0, b[:n])
		b = b[n:]
		if len(p.live.response) > maxResponse+4 {
			t.Fatalf("%d bytes of the response are kept", len(p.live.response))
		}
	}
	return p
}

// FuzzResponse: an arbitrary response upgrades, fails or is not complete, the
// same whatever the cuts.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(fuzzResponse), []byte{})
	f.Add([]byte(fuzzResponse+"\x81\x01a\x88\x00"), []byte{17, 200, 1})
	f.Add([]byte(fuzzResponse+strings.Repeat("\x81\x01a", 30_000)), []byte{100})
	f.Add([]byte("HTTP/1.1 404 Not Found\r\n\r\n"), []byte{25})
	f.Add([]byte("HTTP/1.1 101 \r\nA: "+strings.Repeat("a", maxResponse)), []byte{255})
	f.Add([]byte("\r\n\r\n"), []byte{2})
	f.Fuzz(func(t *testing.T, b, cuts []byte) {
		whole, cut := receiveAll(t, b, nil), receiveAll(t, b, cuts)
		for _, p := range []*Peer{whole, cut} {
			if p.live.upgraded && (p.live.handshakeErr != nil || p.live.status != 101) {
				t.Errorf("upgraded with status %d, error %v", p.live.status, p.live.handshakeErr)
			}
			if p.live.handshakeErr != nil && !short(p.live.handshakeErr.Error()) {
				t.Errorf("error %q", p.live.handshakeErr)
			}
			for _, e := range p.recording.trace {
				if !short(e.What) {
					t.Errorf("line %q", e.What)
				}
			}
		}
		if whole.live.upgraded != cut.live.upgraded || len(whole.recording.messages) != len(cut.recording.messages) ||
			len(whole.recording.malformed) != len(cut.recording.malformed) {
			t.Errorf("whole: %t, %d messages, %q; cut: %t, %d, %q", whole.live.upgraded, len(whole.recording.messages),
				whole.recording.malformed,
				cut.live.upgraded, len(cut.recording.messages), cut.recording.malformed)
		}
	})
}

// short tells whether a line is fit for a terminal.
func short(s string) bool {
	return len(s) < 800 && strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) < 0
}
