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
	fillFrame     = 16 << 10               // of the texts by which a server's buffers are filled
	fillBytes     = 128 << 10              // bytes of them for each peer
	fillStall     = 250 * time.Millisecond // without progress: they are full
	fillMSS       = 536                    // bytes; it keeps the server's send buffers small (TCP_MAXSEG in tcp(7))
	closesPerTurn = 32                     // peers that close between two looks at what happens
	readsPerTurn  = 4                      // reads of one peer, until the others have had their turn
	turnLength    = 5 * time.Millisecond   // of reading, until new events are asked for
)

// A member's way through its life.
const (
	notDialed = iota
	connecting
	upgrading
	joined
	over // its descriptor is closed
)

// swarm is a [Swarm] under way. One goroutine, the event loop, does everything; only
// the trigger and what an observer calls (released, loseObserver) run beside it.
type swarm struct {
	*Swarm
	start     time.Time
	poll      int
	wake      int // an eventfd, which ends the wait of the loop
	events    [1024]unix.EpollEvent
	buf       [4 << 10]byte // of small frames so many cost some 0.5 ms
	ready     []int         // members that have more to read, by index
	filler    []byte
	opening   []int // members whose handshake is not complete, the oldest first
	next      int   // the first member that was not dialed
	failed    int   // members that could not be opened
	triggered bool
	settled   int // how many members, from the first, have been let go

	mu          sync.Mutex // guards Released and Bound of members, and what follows
	members     []member
	byPeer      map[netip.AddrPort]int
	trigger     time.Duration // of each member that has none of its own
	failure     error         // that Trigger returned
	notObserved bool          // nobody observes the server's sockets any more
	ended       bool          // the result is made: releases are too late
}

// member is a [Member] with what the event loop needs.
type member struct {
	Member
	index          int // in swarm.members
	fd             int
	phase          int
	queued         bool          // it is in swarm.ready
	pendingEvents  uint32        // of epoll, since the last read
	at             time.Duration // when epoll told of them
	unsent         []byte        // what the kernel did not take yet
	writeErr       error         // the socket's error, where a write took it
	pong           []byte        // the frame that answers the last Ping
	stoppedReading bool
	dialed         time.Duration // when
	key            string
	response       []byte
	decoder        decoder
	closeSent      bool
	filled         int // bytes of texts that were sent to fill the server's buffers
}

// Run opens all peers, holds them, triggers, and returns when all have been let
// go, the patience is over or ctx is done, with what was seen until then. The
// error is that nothing could be measured.
func (s *Swarm) Run(ctx context.Context) ([]Member, error) {
	w := &swarm{Swarm: s, start: time.Now(), byPeer: make(map[netip.AddrPort]int, len(s.Peers)), members: make([]member, len(s.Peers))}
	w.filler = Filler(fillFrame).Encode()
	for i, kind := range s.Peers {
		w.members[i] = member{Member: Member{Kind: kind}, index: i, fd: -1}
	}
	w.Setup, w.Patience = cmp.Or(w.Setup, setupDefault), cmp.Or(w.Patience, patienceDefault)
	if err := w.open(); err != nil {
		return nil, err
	}
	defer w.close()
	if s.Started != nil {
		s.Started(w.released, w.loseObserver)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := w.run(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	out := make([]Member, len(w.members))
	for i := range w.members {
		m := &w.members[i]
		if m.StoppedAt = w.now(); m.Trigger == 0 {
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
	for i := range s.members {
		s.drop(&s.members[i], false)
	}
	_ = unix.Close(s.poll)
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.wake)
	s.wake = -1
}

func (s *swarm) now() time.Duration { return time.Since(s.start) }

// wakeUp ends the wait of the loop.
func (s *swarm) wakeUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake >= 0 {
		_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// released notes when an observer saw that the server let go of a peer's socket.
func (s *swarm) released(peer netip.AddrPort, at time.Time, bound time.Duration) {
	s.mu.Lock()
	i, known := s.byPeer[peer]
	if known && !s.ended && s.members[i].Released == 0 {
		s.members[i].Released, s.members[i].Bound = at.Sub(s.start), bound
	}
	s.mu.Unlock()
	s.wakeUp()
}

// loseObserver notes that nobody observes the server's sockets any more.
func (s *swarm) loseObserver() {
	s.mu.Lock()
	s.notObserved = true
	s.mu.Unlock()
	s.wakeUp()
}

// run opens all members, holds them, triggers, and waits until all have been let go.
func (s *swarm) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.wakeUp)()
	atOnce := s.AtOnce
	if atOnce <= 0 {
		atOnce = 64
	}
	for s.next < len(s.members) || len(s.opening) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for s.next < len(s.members) && len(s.opening) < atOnce {
			s.dial(s.next)
			s.next++
		}
		limit := s.now() + time.Second
		if len(s.opening) > 0 {
			limit = s.members[s.opening[0]].dialed + s.Setup // the oldest
		}
		s.turn(limit)
		s.failLateOpenings()
	}
	s.until(ctx, s.now()+s.Hold, func() bool { return false })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.fill(ctx)
	if s.triggered = true; s.Trigger == nil {
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
		s.wakeUp()
	})
	return func() { cancel(); running.Wait() }
}

// over tells whether there is nothing more to see; s.mu is held.
func (s *swarm) over() bool {
	for ; s.settled < len(s.members); s.settled++ {
		m := &s.members[s.settled]
		gone := m.phase == over || m.FIN > 0 || m.Kind == Vanishes
		if m.Err == "" && !m.EndedEarly && (!gone || s.Joined != nil && !s.notObserved && m.Released == 0) {
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
// without end does not hold up the other peers: each peer is read a few times, and
// then waits until the others have had their turn.
func (s *swarm) turn(limit time.Duration) {
	wait := limit - s.now()
	if len(s.ready) > 0 {
		wait = 0
	}
	n, err := unix.EpollWait(s.poll, s.events[:], int(max(0, (wait+time.Millisecond-1)/time.Millisecond)))
	if err != nil { // EINTR
		return
	}
	at, over := s.now(), s.now()+turnLength
	for _, e := range s.events[:n] {
		if e.Fd < 0 {
			var count [8]byte
			_, _ = unix.Read(s.wake, count[:])
			continue
		}
		m := &s.members[e.Fd]
		if m.pendingEvents |= e.Events; m.queued {
			continue
		}
		if m.at = at; s.now() < over {
			s.event(m)
		} else {
			s.later(m)
		}
	}
	for n := len(s.ready); n > 0 && s.now() < over; n-- {
		m := &s.members[s.ready[0]]
		s.ready, m.queued = s.ready[1:], false
		s.event(m)
	}
}

// later queues a member for another turn.
func (s *swarm) later(m *member) {
	s.ready, m.queued = append(s.ready, m.index), true
}

// each does something to all open members of a kind, or of all kinds, and looks
// after the others in between.
func (s *swarm) each(kind Kind, do func(m *member)) {
	for i := range s.members {
		if m := &s.members[i]; m.phase == joined && (kind == "" || m.Kind == kind) {
			do(m)
		}
		if i%closesPerTurn == 0 {
			s.turn(0)
		}
	}
}

// fill makes those that stop reading do so, and fills what the server sends them
// until it, or they, take no more.
func (s *swarm) fill(ctx context.Context) {
	sent := 0
	fill := func(m *member) {
		m.stoppedReading = true
		for m.filled < fillBytes && len(m.unsent) == 0 { // else it would stand inside a frame
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
	s.each("", func(m *member) {
		m.Trigger = s.now()
		switch m.Kind {
		case Vanishes:
			s.vanish(m)
		case Resets:
			s.drop(m, false)
		default:
			m.closeSent = true
			if m.filled%len(s.filler) == 0 { // else it would stand inside a frame
				m.send(CloseFrame(1000, "").Encode())
			}
		}
	})
}

// vanish makes a member go dark.
func (s *swarm) vanish(m *member) {
	m.stoppedReading, m.unsent, m.pong = true, nil, nil
	if err := goDark(uintptr(m.fd)); err != nil {
		m.Err = err.Error()
	}
}
