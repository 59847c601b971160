package sockets

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCensus: each departure is told within its bound, and that of an orphan
// again when the kernel has freed it.
func TestCensus(t *testing.T) {
	const n = 40
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			ln := listenOn(t, f)
			told := make(chan Departure, 4*n)
			pairs, jammed := map[netip.AddrPort]pair{}, map[netip.AddrPort]bool{}
			var census *Census
			for i := range n {
				peer := dial(t, ln, f)
				server, err := ln.AcceptTCP()
				check(t, err)
				c := pair{server, peer}
				host, from := c.addrs()
				if census == nil {
					census, err = TakeCensus(host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
					check(t, err)
					defer census.Close()
				}
				from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
				census.Add(from)
				pairs[from] = c
				if jammed[from] = i%2 == 1; jammed[from] {
					c.jam(t)
				}
			}
			stray := dial(t, ln, f) // of which the census does not know
			check(t, stray.Close())

			next := func() Departure {
				select {
				case d := <-told:
					return d
				case <-time.After(5 * time.Second):
					t.Fatal("a departure was not told")
					panic("unreachable")
				}
			}
			orphans := 0
			for peer, c := range pairs {
				before, after := closeNow(t, c.server)
				d := next()
				if d.Peer != peer {
					t.Fatalf("told of %s instead of %s", d.Peer, peer)
				}
				bounded(t, "departure", d.At, d.Bound, before, after)
				if d.Freed {
					continue
				}
				if jammed[peer] {
					orphans++
					before, after = abort(t, c.peer)
				} // else the ACK of its FIN was late
				if d = next(); d.Peer != peer || !d.Freed {
					t.Fatalf("told %+v of the orphan %s", d, peer)
				}
				if jammed[peer] {
					// A busy machine delivers the RST when it comes to it (ksoftirqd).
					bounded(t, "end of the orphan", d.At, d.Bound, before, after.Add(time.Second))
				}
			}
			if orphans != n/2 {
				t.Errorf("%d of %d were orphans for long, want half", orphans, n)
			}
			if len(told) > 0 {
				t.Errorf("%d departures too many", len(told))
			}
		})
	}
}

// TestCensusLostEvents: where events were lost, a dump tells who has left.
func TestCensusLostEvents(t *testing.T) {
	ln := listenOn(t, ipv4)
	told := make(chan Departure, 8)
	var pairs []pair
	for range 2 {
		peer := dial(t, ln, ipv4)
		server, err := ln.AcceptTCP()
		check(t, err)
		defer server.Close()
		pairs = append(pairs, pair{server, peer})
	}
	host, stays := pairs[0].addrs()
	census, err := TakeCensus(host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
	check(t, err)
	defer census.Close()
	gone := netip.MustParseAddrPort("127.0.0.9:9")
	since := time.Now()
	census.Add(stays)
	census.Add(gone)
	census.mu.Lock()
	census.lost, census.alive, census.trouble = true, since, time.Now()
	census.mu.Unlock()
	if d := <-told; d.Peer != gone || !d.Freed || d.At.Add(-d.Bound).After(since) {
		t.Errorf("told %+v", d)
	}
	for lost := true; lost; runtime.Gosched() { // until no event comes any more
		census.mu.Lock()
		lost = census.lost
		census.mu.Unlock()
	}
	if len(told) > 0 {
		t.Errorf("also told %+v", <-told)
	}
}

// TestCensusBehindAQueue: a departure whose event waits behind thousands of others
// in the kernel is dated by when it happened, on whatever CPU that was.
func TestCensusBehindAQueue(t *testing.T) {
	ln := listenOn(t, ipv4)
	told := make(chan Departure, 8)
	var census *Census
	for cpu := range runtime.NumCPU() {
		peer := dial(t, ln, ipv4)
		server, err := ln.AcceptTCP()
		check(t, err)
		c := pair{server, peer}
		host, from := c.addrs()
		if census == nil {
			census, err = TakeCensus(host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
			check(t, err)
			defer census.Close()
		}
		census.Add(from)
		var before, after time.Time
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends here
			_ = on(cpu)
			_ = peer.SetLinger(0)
			_ = peer.Close()
			queueUp(20_000)
			before = time.Now()
			_ = server.Close()
			after = time.Now()
		}()
		<-done
		select {
		case d := <-told:
			t.Logf("told %s later, dated %s later, bound %s", time.Since(after), d.At.Sub(after), d.Bound)
			bounded(t, "departure", d.At, d.Bound, before, after)
		case <-time.After(10 * time.Second):
			t.Fatal("a departure was not told")
		}
	}
}

// queueUp makes n events for the kernel to tell.
func queueUp(n int) {
	for range n {
		if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
			_ = unix.Close(fd)
		}
	}
}

// TestResetBehindAQueue: a socket that was reset is out of the kernel's table, and
// counts as held until its event has had its turn.
func TestResetBehindAQueue(t *testing.T) {
	o := open(t)
	for range 5 {
		c := connect(t, ipv4)
		w := o.watch(c)
		w.Urgent()
		await(t, w, (*Watch).Accepted)
		abort(t, c.peer)
		until(t, w, "CLOSE", func(l Lifetime) bool { return l.State == "CLOSE" })
		queueUp(10_000)
		before, after := closeNow(t, c.server)
		await(t, w, (*Watch).Released)
		l := w.Lifetime()
		t.Logf("told %s later, dated %s later, bound %s", time.Since(after), l.Released.Sub(after), l.ReleasedBound)
		bounded(t, "release", l.Released, l.ReleasedBound, before, after)
	}
}

// TestCensusFails: a census that ends by itself says so, once, and why.
func TestCensusFails(t *testing.T) {
	ln := listenOn(t, ipv4)
	ended := make(chan bool, 2)
	census, err := TakeCensus(netip.MustParseAddrPort(ln.Addr().String()), func(Departure) {}, func() { ended <- true })
	check(t, err)
	if _, err := census.Failed(); err != nil {
		t.Error(err)
	}
	check(t, census.events.Close()) // as where the kernel ends it
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("it says nothing")
	}
	if at, err := census.Failed(); err == nil || at.IsZero() {
		t.Errorf("failed at %s: %v", at, err)
	}
	_ = census.query.Close()
	_ = census.Close() // errors of what is closed already
	if len(ended) > 0 {
		t.Error("it says so twice")
	}
}

// BenchmarkMark: a second has visitsMost of these at most, on however many CPUs.
func BenchmarkMark(b *testing.B) {
	o, err := Open()
	if err != nil {
		b.Skip(err)
	}
	defer o.Close()
	runtime.LockOSThread() // the thread ends here
	for n := 0; b.Loop(); n++ {
		if on(n%runtime.NumCPU()) == nil {
			o.marks.make(n % runtime.NumCPU())
		}
	}
}

// TestCensusLook: departures that no event and no dump has told of are told of by a look.
func TestCensusLook(t *testing.T) {
	ln := listenOn(t, ipv4)
	peer := dial(t, ln, ipv4)
	server, err := ln.AcceptTCP()
	check(t, err)
	c := pair{server, peer}
	host, from := c.addrs()
	told := make(chan Departure, 4)
	census, err := TakeCensus(host, func(d Departure) { told <- d }, func() {})
	check(t, err)
	census.Add(from)
	census.mu.Lock()
	clear(census.cookie) // the event is not known as this socket's
	census.mu.Unlock()
	before := time.Now()
	_, _ = closeNow(t, server)
	check(t, peer.Close())
	census.Look()
	check(t, census.Close())
	close(told)
	d, ok := <-told
	if !ok || d.Peer != from || d.At.Add(-d.Bound).After(time.Now()) || d.At.Before(before) {
		t.Errorf("told %+v, %t", d, ok)
	}
}
