package sockets

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCensus: the census reports each departure with a bound that is true, and reports an
// orphan again when the kernel has freed it.
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
					census, err = TakeCensus(0, host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
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
			stray := dial(t, ln, f) // never added to the census
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

// TestCensusLostEvents: if events were lost, a dump of all sockets finds who has left.
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
	census, err := TakeCensus(0, host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
	check(t, err)
	defer census.Close()
	gone := netip.MustParseAddrPort("127.0.0.9:9")
	since := time.Now()
	census.Add(stays)
	census.Add(gone)
	census.mu.Lock()
	census.eventsLost, census.allExistedAt, census.lastEventLoss = true, since, time.Now()
	census.mu.Unlock()
	if d := <-told; d.Peer != gone || !d.Freed || d.At.Add(-d.Bound).After(since) {
		t.Errorf("told %+v", d)
	}
	for lost := true; lost; runtime.Gosched() { // until no event comes any more
		census.mu.Lock()
		lost = census.eventsLost
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
			census, err = TakeCensus(0, host, func(d Departure) { told <- d }, func() { t.Error("it ended") })
			check(t, err)
			defer census.Close()
		}
		census.Add(from)
		var before, after time.Time
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends here
			_ = runOn(cpu)
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

// queueUp makes the kernel queue n destroy events.
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
	server := netip.MustParseAddrPort(ln.Addr().String())
	census, err := TakeCensus(0, server, func(Departure) {}, func() { ended <- true })
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
	_ = census.dumpQuery.Close()
	_ = census.Close() // errors of what is closed already
	if len(ended) > 0 {
		t.Error("it says so twice")
	}
}

// BenchmarkMark: a run makes maxVisitsPerSecond of these at most, however many CPUs there are.
func BenchmarkMark(b *testing.B) {
	o, err := Open()
	if err != nil {
		b.Skip(err)
	}
	defer o.Close()
	runtime.LockOSThread() // the thread ends here
	for n := 0; b.Loop(); n++ {
		if runOn(n%runtime.NumCPU()) == nil {
			o.marks.makeOn(n % runtime.NumCPU())
		}
	}
}

// TestCensusLook: Look reports a departure that no event and no dump has reported.
func TestCensusLook(t *testing.T) {
	ln := listenOn(t, ipv4)
	peer := dial(t, ln, ipv4)
	server, err := ln.AcceptTCP()
	check(t, err)
	c := pair{server, peer}
	host, from := c.addrs()
	told := make(chan Departure, 4)
	census, err := TakeCensus(0, host, func(d Departure) { told <- d }, func() {})
	check(t, err)
	census.Add(from)
	census.mu.Lock()
	clear(census.peerByCookie) // the event is not known as this socket's
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
