package peers

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fillFrame = 16 << 10               // of the texts by which a server's buffers are filled
	fillMost  = 128 << 10              // bytes of them for each peer
	fillStall = 250 * time.Millisecond // without progress: they are full
	fillMSS   = 536                    // bytes; it keeps the server's send buffers small (TCP_MAXSEG in tcp(7))
	turnsOf   = 32                     // peers that close between two looks at what happens
	readMost  = 4                      // reads of one peer, until the others have had their turn
	turnMost  = 5 * time.Millisecond   // of reading, until new events are asked for
)

// A member's way through its life.
const (
	unborn = iota
	connecting
	upgrading
	joined
	over // its descriptor is closed
)

// swarm is a [Swarm] under way. One goroutine does everything but calls of
// released.
type swarm struct {
	*Swarm
	start   time.Time
	poll    int
	wake    int // an eventfd
	events  [1024]unix.EpollEvent
	buf     [4 << 10]byte // of small frames so many cost some 0.5 ms
	ready   []int         // members that have more to read
	filler  []byte
	opening []int // members under way to their 101
	next    int   // member to be opened
	failed  int
	fired   bool // the trigger was
	settled int  // members before this one have been let go

	mu      sync.Mutex // covers Released and Bound of members, and what follows
	all     []one
	byPeer  map[netip.AddrPort]int
	trigger time.Duration // of all that have none of their own
	failure error         // of Trigger
	unseen  bool          // nobody observes the server's sockets any more
	ended   bool
}

// one is a member with what the loop needs of it.
type one struct {
	Member
	index    int // in all
	fd       int
	phase    int
	waits    bool          // it is one of the ready
	told     uint32        // by epoll, since it was last read
	at       time.Duration // when that was
	out      []byte        // what the kernel did not take yet
	taken    error         // the socket's, which a write was told of
	pong     []byte        // the frame that answers the last Ping
	blind    bool          // it reads no more
	since    time.Duration
	key      string
	response []byte
	decoder  decoder
	closed   bool // it sent a Close frame
	filled   int  // bytes of fill sent
}

// Run opens all peers, holds them, triggers, and returns when all have been let
// go, the patience is over or ctx is done, with what was seen until then. The
// error is that nothing could be measured.
func (s *Swarm) Run(ctx context.Context) ([]Member, error) {
	w := &swarm{Swarm: s, start: time.Now(), byPeer: make(map[netip.AddrPort]int, len(s.Peers)), all: make([]one, len(s.Peers))}
	w.filler = Filler(fillFrame).Encode()
	for i, kind := range s.Peers {
		w.all[i] = one{Member: Member{Kind: kind}, index: i, fd: -1}
	}
	w.Setup, w.Patience = cmp.Or(w.Setup, setupDefault), cmp.Or(w.Patience, patienceDefault)
	if err := w.open(); err != nil {
		return nil, err
	}
	defer w.close()
	if s.Started != nil {
		s.Started(w.released, w.lose)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := w.run(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	out := make([]Member, len(w.all))
	for i := range w.all {
		m := &w.all[i]
		if m.Until = w.now(); m.Trigger == 0 {
			m.Trigger = w.trigger
		}
		if m.phase == upgrading { // it was interrupted
			m.Peer = netip.AddrPort{}
		}
		out[i] = m.Member
	}
	return out, err
}

// open makes the loop's descriptors.
func (s *swarm) open() (err error) {
	if s.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(err, unix.Close(s.poll))
	}
	return unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, s.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
}

func (s *swarm) close() {
	for i := range s.all {
		s.drop(&s.all[i], false)
	}
	_ = unix.Close(s.poll)
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.wake)
	s.wake = -1
}

func (s *swarm) now() time.Duration { return time.Since(s.start) }

// nudge ends the wait of the loop.
func (s *swarm) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake >= 0 {
		_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// released takes what an observer saw.
func (s *swarm) released(peer netip.AddrPort, at time.Time, bound time.Duration) {
	s.mu.Lock()
	i, known := s.byPeer[peer]
	if known && !s.ended && s.all[i].Released == 0 {
		s.all[i].Released, s.all[i].Bound = at.Sub(s.start), bound
	}
	s.mu.Unlock()
	s.nudge()
}

// lose takes that an observer sees nothing any more.
func (s *swarm) lose() {
	s.mu.Lock()
	s.unseen = true
	s.mu.Unlock()
	s.nudge()
}

// run is the life of the swarm.
func (s *swarm) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.nudge)()
	atOnce := s.AtOnce
	if atOnce <= 0 {
		atOnce = 64
	}
	for s.next < len(s.all) || len(s.opening) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for s.next < len(s.all) && len(s.opening) < atOnce {
			s.dial(s.next)
			s.next++
		}
		limit := s.now() + time.Second
		if len(s.opening) > 0 {
			limit = s.all[s.opening[0]].since + s.Setup // the oldest
		}
		s.turn(limit)
		s.expire()
	}
	s.until(ctx, s.now()+s.Hold, func() bool { return false })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.fill(ctx)
	if s.fired = true; s.Trigger == nil {
		s.closeAll()
	} else {
		s.each(Vanishes, s.vanish)
		defer s.stop(ctx)()
	}
	s.until(ctx, s.now()+s.Patience, func() bool { return s.failure != nil || s.over() })
	s.mu.Lock()
	over := s.over()
	s.mu.Unlock()
	if s.LastLook != nil && !over && ctx.Err() == nil {
		s.LastLook()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// stop makes the server close, in a goroutine for whose end the returned
// function waits.
func (s *swarm) stop(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	s.mu.Lock()
	s.trigger = s.now()
	s.mu.Unlock()
	running.Go(func() {
		at, err := s.Trigger(ctx)
		s.mu.Lock()
		if s.failure = err; err == nil {
			s.trigger = at.Sub(s.start)
		}
		s.mu.Unlock()
		s.nudge()
	})
	return func() { cancel(); running.Wait() }
}

// over tells whether there is nothing more to see; s.mu is held.
func (s *swarm) over() bool {
	for ; s.settled < len(s.all); s.settled++ {
		m := &s.all[s.settled]
		gone := m.phase == over || m.FIN > 0 || m.Kind == Vanishes
		if m.Err == "" && !m.Lost && (!gone || s.Joined != nil && !s.unseen && m.Released == 0) {
			return false
		}
	}
	return true
}

// until lets things happen until the limit, or the condition.
func (s *swarm) until(ctx context.Context, limit time.Duration, cond func() bool) {
	for ctx.Err() == nil && s.now() < limit {
		s.mu.Lock()
		done := cond()
		s.mu.Unlock()
		if done {
			return
		}
		s.turn(limit)
	}
}

// turn waits for events until the limit, and handles them. A server that sends
// without end takes no more than its share of it: a peer is read a few times, and
// then waits until the others have been.
func (s *swarm) turn(limit time.Duration) {
	wait := limit - s.now()
	if len(s.ready) > 0 {
		wait = 0
	}
	n, err := unix.EpollWait(s.poll, s.events[:], int(max(0, (wait+time.Millisecond-1)/time.Millisecond)))
	if err != nil { // EINTR
		return
	}
	at, over := s.now(), s.now()+turnMost
	for _, e := range s.events[:n] {
		if e.Fd < 0 {
			var count [8]byte
			_, _ = unix.Read(s.wake, count[:])
			continue
		}
		m := &s.all[e.Fd]
		if m.told |= e.Events; m.waits {
			continue
		}
		if m.at = at; s.now() < over {
			s.event(m)
		} else {
			s.later(m)
		}
	}
	for n := len(s.ready); n > 0 && s.now() < over; n-- {
		m := &s.all[s.ready[0]]
		s.ready, m.waits = s.ready[1:], false
		s.event(m)
	}
}

// later makes a member wait for another turn.
func (s *swarm) later(m *one) {
	s.ready, m.waits = append(s.ready, m.index), true
}

// each does something to all open members of a kind, or of all kinds, and looks
// after the others in between.
func (s *swarm) each(kind Kind, do func(m *one)) {
	for i := range s.all {
		if m := &s.all[i]; m.phase == joined && (kind == "" || m.Kind == kind) {
			do(m)
		}
		if i%turnsOf == 0 {
			s.turn(0)
		}
	}
}

// fill makes those that stop reading do so, and fills what the server sends them
// until it, or they, take no more.
func (s *swarm) fill(ctx context.Context) {
	sent := 0
	fill := func(m *one) {
		m.blind = true
		for m.filled < fillMost && len(m.out) == 0 { // else it would stand inside a frame
			n := m.write(s.filler[m.filled%len(s.filler):])
			if n == 0 {
				return
			}
			m.filled += n
			sent += n
		}
	}
	for progress := true; progress && ctx.Err() == nil; {
		before := sent
		s.each(StopsReading, fill)
		if progress = sent > before; progress {
			s.until(ctx, s.now()+fillStall, func() bool { return false })
		}
	}
}

// closeAll is the trigger where the peers close.
func (s *swarm) closeAll() {
	s.trigger = s.now() // no other goroutine asks for it
	s.each("", func(m *one) {
		m.Trigger = s.now()
		switch m.Kind {
		case Vanishes:
			s.vanish(m)
		case Resets:
			s.drop(m, false)
		default:
			m.closed = true
			if m.filled%len(s.filler) == 0 { // else it would stand inside a frame
				m.send(CloseFrame(1000, "").Encode())
			}
		}
	})
}

// vanish makes a member go dark.
func (s *swarm) vanish(m *one) {
	m.blind, m.out, m.pong = true, nil, nil
	if err := goDark(uintptr(m.fd)); err != nil {
		m.Err = err.Error()
	}
}
