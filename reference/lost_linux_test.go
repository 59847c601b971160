package reference

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLost: the peer resets, or goes dark (ip(7), IP_MINTTL: its kernel drops
// whatever comes). The descriptor is released within the limit that applies.
func TestLost(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, fault, send string
		lose              func(*testing.T, *peer)
		from, to          time.Duration // when it is released; to is 0: it is not
	}{
		{"reset", "", "", reset, 0, soon},
		{"reset in a frame", "", text("hello")[:8], reset, 0, soon},
		{"dark", "", "", vanish, soon, 3 * soon},
		{"dark in a frame", "", text("hello")[:8], vanish, soon, 3 * soon},
		{"dark behind its Close", "", closeWith(1000, ""), vanish, limit - soon, limit + soon},
		{"dark after a violation", "", frame(0x83, ""), vanish, limit - soon, limit + soon},
		{"dark", "no-ping", "", vanish, 0, 0},
		{"dark behind its Close", "fd-leak", closeWith(1000, ""), vanish, 0, 0},
	} {
		t.Run(x.fault+" "+x.name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, Options{Fault: x.fault, PingInterval: soon}, nil)
			p := open(t, r.addr, x.send)
			start := time.Now()
			x.lose(t, p)
			released := r.isReleased(limit + 2*soon)
			if took := time.Since(start); released != (x.to > 0) || released && (took < x.from || took > x.to) {
				t.Errorf("released: %t, after %v; want it between %v and %v", released, took, x.from, x.to)
			}
		})
	}
}

func reset(_ *testing.T, p *peer) {
	_ = p.Conn.(*net.TCPConn).SetLinger(0)
	_ = p.Close()
}

func vanish(t *testing.T, p *peer) {
	raw, err := p.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MINTTL, 255) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reset(t, p) })
}
