package sockets

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	discoverPause = 3 * time.Millisecond // shortest pause between two dumps of a stream
	discoverShare = 4                    // the pause is at least so many times as long as a dump took
	mostFollowed  = 4096                 // sockets that a stream follows at the same time
)

// followed is a socket that a stream follows.
type followed struct {
	watch        *Watch
	server, peer netip.AddrPort
}

// discovery finds the connections that are made to ports while it runs: the kernel has no event
// that says that there is a new one. Those that exist when it begins are not followed.
type discovery struct {
	o      *Observer
	ports  []uint16
	conn   *netlink.Conn
	buffer []byte // holds one datagram

	began time.Time       // when the last dump began; zero: there was none
	other map[uint64]bool // cookies of sockets that were there before
}

// run dumps the sockets again and again until done is closed. It returns why it ended by itself.
func (d *discovery) run(done <-chan struct{}) error {
	raisePriority()
	for {
		start := time.Now()
		if err := d.look(start); err != nil {
			return err
		}
		timer := time.NewTimer(max(discoverPause, discoverShare*time.Since(start)))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			return nil
		}
	}
}

// look makes one dump, and begins to follow each socket that the one before did not have. A new
// one did not exist when the dump before began, so that it was not released by then.
func (d *discovery) look(start time.Time) error {
	d.o.mu.Lock() // see Observer.mu: a destroy event of a socket that is found here waits
	defer d.o.mu.Unlock()
	first, since, other := d.began.IsZero(), d.began, map[uint64]bool{}
	for _, port := range d.ports {
		for _, family := range []byte{inet4, inet6} {
			if _, err := d.conn.Send(request(dump, dumpRequest(family, connectionStates, port))); err != nil {
				return err
			}
			err := receiveDump(d.conn, d.buffer, func(data []byte, by time.Time) {
				s, err := decode(data)
				if err != nil || s.mini || s.State == synReceived || d.o.changes.followed[s.Cookie] != nil {
					return
				}
				if first || d.other[s.Cookie] || len(d.o.changes.followed) >= mostFollowed {
					if other[s.Cookie] = true; !first && !d.other[s.Cookie] {
						d.o.changes.noteLoss(fmt.Sprintf("more than %d new connections at a time: some are not followed", mostFollowed))
					}
					return
				}
				server, peer, _ := addresses(data)
				d.o.follow(s, server, peer, binary.NativeEndian.Uint32(data[answerDevice:]), since, start, by)
			})
			if err != nil {
				return err
			}
		}
	}
	d.began, d.other = start, other
	return nil
}

// follow begins to watch a socket that a dump from asked to answered has shown, and that did
// not exist at since; o.mu is held.
func (o *Observer) follow(
	s Socket, server, peer netip.AddrPort, device uint32, since, asked, answered time.Time,
) {
	inZone := peer
	if peer.Addr().Is6() && device != 0 { // an address that is not link-local is found without it
		inZone = netip.AddrPortFrom(peer.Addr().WithZone(strconv.Itoa(int(device))), peer.Port())
	}
	w := newWatch(o, exactRequest(server, inZone))
	w.lastHeld, w.lastAlive = since, since
	w.lifetime.Lost = o.eventsEnded
	o.changes.followed[s.Cookie] = &followed{watch: w, server: server, peer: peer}
	w.apply(s, true, asked, answered)
	o.begin(w)
}

// changes are what a stream has to write. [Observer.mu] guards them. A nil *changes notes nothing.
type changes struct {
	followed map[uint64]*followed // by cookie
	pending  []*Watch             // watches with something new, each once: see Watch.noted
	lost     string               // why ends of sockets may be missing; empty: nothing new
	some     chan struct{}        // receives when there is something new
}

func (c *changes) note(w *Watch) {
	if c != nil && !w.noted {
		w.noted = true
		c.pending = append(c.pending, w)
		c.wake()
	}
}

func (c *changes) noteLoss(why string) {
	if c != nil {
		c.lost = why
		c.wake()
	}
}

func (c *changes) wake() {
	select {
	case c.some <- struct{}{}:
	default:
	}
}
