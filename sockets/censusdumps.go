package sockets

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// dumpUntilClosed dumps the sockets of orphans again and again, until Close or an error:
// the kernel has no event that says that a socket has become an orphan.
func (c *Census) dumpUntilClosed() {
	raisePriority()
	for turn := 0; ; turn++ {
		start := time.Now()
		if err := c.dumpAndReport(start, turn%finWait2Every == 0); err != nil {
			select {
			case <-c.done:
			default:
				c.fail(err)
			}
			return
		}
		timer := time.NewTimer(max(minDumpPause, time.Since(start)))
		select {
		case <-timer.C:
		case <-c.done:
			timer.Stop()
			return
		}
	}
}

// Look dumps all sockets once, and reports every departure until now before it returns.
// It serves where finwait itself may have been stopped for a while (SIGSTOP).
func (c *Census) Look() {
	c.mu.Lock()
	c.noteEventLoss() // makes the dump one of all sockets
	c.mu.Unlock()
	if err := c.dumpAndReport(time.Now(), true); err != nil {
		c.fail(err)
	}
}

// dumpAndReport makes one dump and reports the orphans in it. If events may have been lost
// since the dump before, it dumps all sockets, and reports those that are missing as freed.
func (c *Census) dumpAndReport(start time.Time, includeFinWait2 bool) error {
	c.dumping.Lock()
	defer c.dumping.Unlock()
	c.mu.Lock()
	lost, states := c.eventsLost, uint32(orphanStates)
	var missing map[netip.AddrPort]bool
	if lost {
		states, missing = connectionStates, maps.Clone(c.stillHeld)
	}
	if includeFinWait2 {
		states |= finWait2State
	}
	families := maps.Clone(c.families)
	c.mu.Unlock()
	type orphan struct {
		peer       netip.AddrPort
		at         time.Time
		inFinWait2 bool
	}
	var orphans []orphan
	cookies := map[uint64]netip.AddrPort{}
	err := c.dump(families, states, func(peer netip.AddrPort, s Socket, at time.Time) {
		if s.mini { // the kernel has freed the full socket
			return
		}
		if _, known := missing[peer]; known {
			cookies[s.Cookie] = peer
			delete(missing, peer)
		}
		switch s.State {
		case finWait1, lastAck, closing, finWait2:
			if s.Inode == 0 {
				orphans = append(orphans, orphan{peer, at, s.State == finWait2})
			}
		}
	})
	if err != nil {
		return err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range orphans {
		since := c.dumps[len(c.dumps)-1].began
		if o.inFinWait2 {
			since = c.finWait2DumpBegan
		}
		c.report(Departure{Peer: o.peer, At: o.at, Bound: o.at.Sub(since)})
	}
	if lost {
		for peer := range missing {
			c.report(Departure{Peer: peer, At: now, Bound: now.Sub(c.allExistedAt), Freed: true})
		}
		maps.Copy(c.peerByCookie, cookies)
		c.allExistedAt, c.eventsLost = start, c.lastEventLoss.After(start)
	}
	if c.dumps = append(c.dumps, dumpSpan{start, now}); len(c.dumps) > dumpsKept {
		c.dumps = slices.Delete(c.dumps, 0, dumpsKept/2)
	}
	if includeFinWait2 {
		c.finWait2DumpBegan = start
	}
	return nil
}

// dump calls each for every socket of the server that is in one of the states. The socket
// was as s describes it at the moment by, or before.
func (c *Census) dump(
	families map[byte]bool, states uint32, each func(peer netip.AddrPort, s Socket, by time.Time),
) error {
	for family := range families {
		if _, err := c.dumpQuery.Send(request(dump, dumpRequest(family, states, c.server.Port()))); err != nil {
			return err
		}
		err := receiveDump(c.dumpQuery, c.dumpBuffer, func(data []byte, by time.Time) {
			server, peer, ok := addresses(data)
			if s, err := decode(data); ok && err == nil && server == withoutZone(c.server) {
				each(peer, s, by)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dumpRequest asks for all sockets of a family that are in one of the states and bound to the
// port.
func dumpRequest(family byte, states uint32, port uint16) []byte {
	b := emptyRequest()
	b[requestFamily] = family
	binary.NativeEndian.PutUint32(b[requestStates:], states)
	binary.BigEndian.PutUint16(b[requestPorts:], port)
	return b
}

// withoutZone returns the address in the form that the kernel answers with.
func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// addresses reads both ends of a connection from a struct inet_diag_msg of the server's
// socket; false: the message is too short.
func addresses(b []byte) (server, peer netip.AddrPort, ok bool) {
	if len(b) < answerSize {
		return server, peer, false
	}
	end := func(address, port int) netip.AddrPort {
		ip := netip.AddrFrom16([16]byte(b[address : address+16])).Unmap()
		if b[answerFamily] == inet4 {
			ip = netip.AddrFrom4([4]byte(b[address : address+4]))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[port:]))
	}
	return end(answerSource, answerPorts), end(answerPeer, answerPorts+2), true
}
