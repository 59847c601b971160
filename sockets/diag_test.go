package sockets

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	b := make([]byte, answerSize, answerSize+8)
	b[0], b[answerState], b[answerTimer] = inet4, 5, timerTimeWait
	binary.NativeEndian.PutUint32(b[answerCookie:], 7)
	binary.NativeEndian.PutUint32(b[answerCookie+4:], 1)
	binary.NativeEndian.PutUint32(b[answerInode:], 4711)
	want := Socket{State: "FIN_WAIT2", Inode: 4711, Cookie: 1<<32 + 7, mini: true}
	for _, message := range [][]byte{b, append(b, "attribute"...)} {
		if got, err := decode(message); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := decode(b[:answerSize-1]); err == nil || !strings.Contains(err.Error(), "71 bytes") {
		t.Errorf("a truncated message: %v", err)
	}
}

func TestExactRequest(t *testing.T) {
	ask := func(server, peer string) []byte {
		return exactRequest(netip.MustParseAddrPort(server), netip.MustParseAddrPort(peer))
	}
	plain := ask("127.0.0.1:80", "127.0.0.2:4660")
	if !bytes.Equal(plain, ask("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.2]:4660")) {
		t.Error("a v4-mapped address is asked for otherwise than the plain one")
	}
	want := append([]byte{inet4, tcp, 0, 0, 0, 0, 0, 0, 0, 80, 0x12, 0x34, 127, 0, 0, 1}, make([]byte, 12)...)
	want = append(append(want, 127, 0, 0, 2), make([]byte, 16)...)
	want = append(want, 255, 255, 255, 255, 255, 255, 255, 255)
	if !bytes.Equal(plain, want) {
		t.Errorf("got  % x\nwant % x", plain, want)
	}
	if b := ask("[::1]:80", "[::2]:81"); b[0] != inet6 || b[requestSource+15] != 1 || b[requestPeer+15] != 2 {
		t.Errorf("IPv6: % x", b)
	}
}

// Whatever a kernel sends, decode must not panic, and must not accept half a message.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, answerSize-1))
	f.Add(bytes.Repeat([]byte{0xff}, answerSize+3))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if (err == nil) != (len(b) >= answerSize) || (err == nil) != (s.State != "") {
			t.Errorf("%d bytes: %+v, %v", len(b), s, err)
		}
	})
}
