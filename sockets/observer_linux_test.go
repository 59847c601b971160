package sockets

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

// TestMain lets the test binary be an observer elsewhere, see openRemote.
func TestMain(m *testing.M) {
	if kind := os.Getenv(asObserver); kind != "" {
		observerMain(kind)
		return
	}
	goleak.VerifyTestMain(new(quiet.Machine).Tests(m))
}

func TestFind(t *testing.T) {
	o := open(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			c := connect(t, f)
			server, peer := c.addrs()
			s, found, err := o.Find(server, peer)
			if err != nil || !found {
				t.Fatalf("found %v, error %v", found, err)
			}
			if s.State != "ESTABLISHED" || s.Inode == 0 || s.Cookie != cookie(t, c.server) {
				t.Errorf("got %+v, want ESTABLISHED, held, cookie %d", s, cookie(t, c.server))
			}
			own, found, err := o.Find(peer, server)
			if err != nil || !found || own.Cookie != cookie(t, c.peer) {
				t.Errorf("the peer's end: got %+v, %v, %v", own, found, err)
			}
			// With the connection gone the kernel answers with the listener.
			abort(t, c.peer)
			closeNow(t, c.server)
			if s, found, err := o.Find(server, peer); err != nil || found {
				t.Errorf("after the end: %+v, %v, %v", s, found, err)
			}
			if s, found, err := o.Find(netip.AddrPortFrom(server.Addr(), 1), peer); err != nil || found {
				t.Errorf("nothing there: %+v, %v, %v", s, found, err)
			}
		})
	}
}

func TestServerClosesFirst(t *testing.T) {
	o := open(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			c := connect(t, f)
			w := o.watch(c)
			await(t, w, (*Watch).Accepted)
			stillOpen(t, w.Released(), "released")
			before, after := closeNow(t, c.server)
			await(t, w, (*Watch).Freed)
			if l := w.Lifetime(); l.TimeWait || l.Transitions[len(l.Transitions)-1].State != "FIN_WAIT2" {
				t.Errorf("before the peer's FIN: %+v", l)
			}
			closeNow(t, c.peer)
			l := until(t, w, "TIME_WAIT", func(l Lifetime) bool { return l.TimeWait })
			bounded(t, "release", l.Released, l.ReleasedBound, before, after)
			if l.Freed.Before(l.Released) {
				t.Errorf("freed before released: %+v", l)
			}
		})
	}
}

func TestPeerClosesFirst(t *testing.T) {
	o := open(t)
	c := connect(t, ipv4)
	w := o.watch(c)
	closeNow(t, c.peer)
	l := until(t, w, "CLOSE_WAIT", func(l Lifetime) bool { return l.State == "CLOSE_WAIT" && !l.Accepted.IsZero() })
	if last := l.Transitions[len(l.Transitions)-1]; !last.Held || !l.Released.IsZero() {
		t.Errorf("CLOSE_WAIT is held: %+v", l)
	}
	before, after := closeNow(t, c.server)
	await(t, w, (*Watch).Freed)
	l = w.Lifetime()
	bounded(t, "release", l.Released, l.ReleasedBound, before, after)
	if l.TimeWait || l.Lost {
		t.Errorf("the peer holds TIME_WAIT, not the server: %+v", l)
	}
}

// After a RST the socket leaves the kernel's table, but not the process.
func TestHeldAfterReset(t *testing.T) {
	o := open(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			c := connect(t, f)
			w := o.watch(c)
			await(t, w, (*Watch).Accepted)
			abort(t, c.peer)
			until(t, w, "CLOSE", func(l Lifetime) bool { return l.State == "CLOSE" })
			stillOpen(t, w.Released(), "released")
			before, after := closeNow(t, c.server)
			await(t, w, (*Watch).Released)
			await(t, w, (*Watch).Freed)
			l := w.Lifetime()
			bounded(t, "release", l.Released, l.ReleasedBound, before, after)
			if l.TimeWait {
				t.Errorf("TIME_WAIT after a RST: %+v", l)
			}
		})
	}
}

// FIN on the wire, and even a TIME_WAIT entry, is not the release.
func TestHeldAfterHalfClose(t *testing.T) {
	o := open(t)
	c := connect(t, ipv4)
	w := o.watch(c)
	if err := c.server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	l := until(t, w, "FIN_WAIT2", func(l Lifetime) bool { return l.State == "FIN_WAIT2" })
	if !l.Transitions[len(l.Transitions)-1].Held {
		t.Errorf("the process holds it: %+v", l)
	}
	closeNow(t, c.peer)
	until(t, w, "CLOSE and TIME_WAIT", func(l Lifetime) bool { return l.State == "CLOSE" && l.TimeWait })
	stillOpen(t, w.Released(), "released")
	before, after := closeNow(t, c.server)
	await(t, w, (*Watch).Freed)
	l = w.Lifetime()
	bounded(t, "release", l.Released, l.ReleasedBound, before, after)
	if n := len(l.Transitions); n > 6 { // not CLOSE and TIME_WAIT in turns
		t.Errorf("%d transitions: %+v", n, l.Transitions)
	}
}

func TestOrphan(t *testing.T) {
	o := open(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			c := connect(t, f)
			w := o.watch(c)
			await(t, w, (*Watch).Accepted)
			c.jam(t) // the FIN stands behind data that nobody reads
			before, after := closeNow(t, c.server)
			await(t, w, (*Watch).Released)
			stillOpen(t, w.Freed(), "freed")
			l := w.Lifetime()
			bounded(t, "release", l.Released, l.ReleasedBound, before, after)
			if last := l.Transitions[len(l.Transitions)-1]; last.State != "FIN_WAIT1" || last.Held {
				t.Errorf("want an orphan in FIN_WAIT1, got %+v", l)
			}
			before, after = abort(t, c.peer)
			await(t, w, (*Watch).Freed)
			l = w.Lifetime()
			bounded(t, "freeing", l.Freed, l.FreedBound, before, after)
		})
	}
}

// What a process accepted and closed between two looks was accepted.
func TestClosedBetweenLooks(t *testing.T) {
	o := open(t)
	c := connect(t, ipv4)
	c.jam(t)
	closeNow(t, c.server)
	w := o.watch(c)
	await(t, w, (*Watch).Released)
	await(t, w, (*Watch).Accepted)
	if l := w.Lifetime(); l.Accepted.IsZero() || l.Released.Before(l.Accepted) {
		t.Errorf("got %+v", l)
	}
}

func TestNeverAccepted(t *testing.T) {
	o := open(t)
	ln := listenOn(t, ipv4)
	peer := dial(t, ln, ipv4)
	w := o.Watch(addr(peer.RemoteAddr()), addr(peer.LocalAddr()))
	until(t, w, "ESTABLISHED", func(l Lifetime) bool { return l.State == "ESTABLISHED" })
	stillOpen(t, w.Accepted(), "accepted")
	stillOpen(t, w.Released(), "released")
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, w, (*Watch).Freed)
	if l := w.Lifetime(); !l.Accepted.IsZero() || l.Released.IsZero() {
		t.Errorf("no process ever had it: %+v", l)
	}
}

func TestNeverSeen(t *testing.T) {
	o := open(t)
	ln := listenOn(t, ipv4) // what the kernel answers with instead
	w := o.Watch(addr(ln.Addr()), netip.MustParseAddrPort("127.0.0.1:1"))
	o.pollRound(0)
	w.Stop()
	if l := w.Lifetime(); l.State != "" || !l.Accepted.IsZero() || len(l.Transitions) != 0 {
		t.Errorf("saw %+v", l)
	}
}

func TestStop(t *testing.T) {
	o := open(t)
	c := connect(t, ipv4)
	stopped := o.watch(c)
	stopped.Stop()
	w := o.watch(c)
	closeNow(t, c.server)
	closeNow(t, c.peer)
	await(t, w, (*Watch).Freed)
	stillOpen(t, stopped.Released(), "released though stopped")
	until(t, w, "TIME_WAIT", func(l Lifetime) bool { return l.TimeWait })
	o.pollRound(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.watches)+len(o.byCookie) != 0 {
		t.Errorf("%d pending, %d by cookie are left", len(o.watches), len(o.byCookie))
	}
}

func TestClose(t *testing.T) {
	o := open(t)
	c := connect(t, ipv4)
	w := o.watch(c)
	if err := errors.Join(o.Close(), o.Close()); err != nil {
		t.Fatal(err)
	}
	closeNow(t, c.server)
	stillOpen(t, w.Released(), "released though closed")
	if l := w.Lifetime(); l.State != "ESTABLISHED" || l.Lost {
		t.Errorf("got %+v", l)
	}
	if _, found, err := o.Find(c.addrs()); found || err == nil {
		t.Errorf("Find on a closed observer: %v, %v", found, err)
	}
}

// Events that overflow the receive buffer are told, and orphans still end.
func TestLostEvents(t *testing.T) {
	o := open(t)
	if err := o.events.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	watched := connect(t, ipv4)
	w := o.watch(watched)
	await(t, w, (*Watch).Accepted)
	for n := 0; n < 20 && !w.Lifetime().Lost; n++ {
		o.mu.Lock() // the reader of events waits behind this
		for range 50 {
			c := connect(t, ipv4)
			abort(t, c.peer)
			closeNow(t, c.server)
		}
		o.mu.Unlock()
	}
	until(t, w, "lost", func(l Lifetime) bool { return l.Lost })
	watched.jam(t)
	closeNow(t, watched.server)
	await(t, w, (*Watch).Released)
	abort(t, watched.peer)
	await(t, w, (*Watch).Freed)
}

// Where no event comes at all, what an orphan leaves behind still tells its end.
func TestWithoutEvents(t *testing.T) {
	o := open(t)
	check(t, errors.Join(o.events.LeaveGroup(destroyTCP4), o.events.LeaveGroup(destroyTCP6)))
	for _, f := range families {
		c := connect(t, f)
		w := o.watch(c)
		before, after := closeNow(t, c.server)
		await(t, w, (*Watch).Freed)
		l := w.Lifetime()
		bounded(t, "release", l.Released, l.ReleasedBound, before, after)
	}
}

// Open must not need privilege; the kernel's own limit of the buffer is enough.
func TestEventBuffer(t *testing.T) {
	o := open(t)
	size, err := o.events.ReadBuffer()
	if err != nil || size < 64<<10 {
		t.Errorf("receive buffer of %d bytes, %v", size, err)
	}
}

func BenchmarkFind(b *testing.B) {
	o := open(b)
	server, peer := connect(b, ipv4).addrs()
	for b.Loop() {
		if _, found, err := o.Find(server, peer); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}

// TestLook: what happened while nobody looked, as where finwait was stopped (SIGSTOP), is seen
// before a watch ends.
func TestLook(t *testing.T) {
	for _, f := range families {
		o := &Observer{ // its goroutines do not run
			wake: make(chan struct{}, 1), done: make(chan struct{}), byCookie: map[uint64]*Watch{}, marks: newMarks(),
		}
		check(t, o.connect())
		ln := listenOn(t, f)
		peer := dial(t, ln, f)
		server, err := ln.AcceptTCP()
		check(t, err)
		c := pair{server, peer}
		w := o.watch(c)
		if w.Look(); !w.Lifetime().Released.IsZero() {
			t.Errorf("%s: a held socket is told to be released", f.name)
		}
		c.jam(t)
		before := time.Now()
		check(t, server.Close())
		if l := w.Lifetime(); !l.Released.IsZero() {
			t.Fatalf("%s: somebody looked", f.name)
		}
		w.Look()
		if l := w.Lifetime(); l.Released.Before(before) || l.ReleasedBound < l.Released.Sub(before) {
			t.Errorf("%s: released %s after the close, bound %s", f.name, l.Released.Sub(before), l.ReleasedBound)
		}
		check(t, o.Close())
	}
}
