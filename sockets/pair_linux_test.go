package sockets

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// family is a way for a loopback connection to come about.
type family struct{ name, listen, host string }

var (
	ipv4     = family{"IPv4", "127.0.0.1:0", "127.0.0.1"}
	ipv6     = family{"IPv6", "[::1]:0", "::1"}
	mapped   = family{"v4-mapped", "[::]:0", "127.0.0.1"}
	families = []family{ipv4, ipv6, mapped}
)

// pair is one connection, both ends in the test's hands.
type pair struct{ server, peer *net.TCPConn }

func (c pair) addrs() (server, peer netip.AddrPort) {
	return addr(c.peer.RemoteAddr()), addr(c.peer.LocalAddr())
}

// jam writes until the peer, which does not read, takes no more.
func (c pair) jam(t testing.TB) {
	t.Helper()
	check(t, c.server.SetWriteBuffer(4096))
	check(t, c.server.SetWriteDeadline(time.Now().Add(5*time.Millisecond)))
	chunk := make([]byte, 64<<10)
	for range 1000 {
		if _, err := c.server.Write(chunk); err != nil {
			return
		}
	}
	t.Fatal("the peer takes everything")
}

func open(t testing.TB) *Observer {
	t.Helper()
	o, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, o.Close()) })
	return o
}

func (o *Observer) watch(c pair) *Watch { return o.Watch(c.addrs()) }

func listenOn(t testing.TB, f family) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.(*net.TCPListener)
}

func dial(t testing.TB, ln *net.TCPListener, f family) *net.TCPConn {
	t.Helper()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	peer, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp", net.JoinHostPort(f.host, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	check(t, peer.(*net.TCPConn).SetReadBuffer(4096))
	return peer.(*net.TCPConn)
}

func connect(t testing.TB, f family) pair {
	t.Helper()
	ln := listenOn(t, f)
	peer := dial(t, ln, f)
	server, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return pair{server, peer}
}

func addr(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

func cookie(t testing.TB, c *net.TCPConn) (n uint64) {
	t.Helper()
	raw, err := c.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		n, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE)
	}))
	check(t, err)
	return n
}

// closeNow closes the descriptor between the two times.
func closeNow(t testing.TB, c *net.TCPConn) (before, after time.Time) {
	t.Helper()
	before = time.Now()
	err := c.Close()
	after = time.Now()
	check(t, err)
	return before, after
}

// abort ends a connection with a RST.
func abort(t testing.TB, c *net.TCPConn) (before, after time.Time) {
	t.Helper()
	check(t, c.SetLinger(0))
	return closeNow(t, c)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const patience = 5 * time.Second

// await waits for one of the watch's channels.
func await(t testing.TB, w *Watch, event func(*Watch) <-chan struct{}) {
	t.Helper()
	select {
	case <-event(w):
	case <-time.After(patience):
		t.Fatalf("not within %s: %+v", patience, w.Lifetime())
	}
}

// stillOpen lets twenty rounds of queries pass.
func stillOpen(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
		t.Errorf("%s", what)
	case <-time.After(20 * minPollPause):
	}
}

// until waits for a state of the lifetime.
func until(t testing.TB, w *Watch, what string, ok func(Lifetime) bool) Lifetime {
	t.Helper()
	tick := time.NewTicker(minPollPause)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for l := w.Lifetime(); ; l = w.Lifetime() {
		switch {
		case ok(l):
			return l
		case time.Now().After(deadline):
			t.Fatalf("no %s within %s: %+v", what, patience, l)
		}
		<-tick.C
	}
}

// bounded: the interval [at-bound, at] must meet the one in which it happened.
func bounded(t testing.TB, what string, at time.Time, bound time.Duration, before, after time.Time) {
	t.Helper()
	if at.Before(before) || at.Add(-bound).After(after) {
		t.Errorf("%s dated %s after it began, bound %s; the call took %s",
			what, at.Sub(before), bound, after.Sub(before))
	}
}
