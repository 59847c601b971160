package sockets

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
)

// Stream follows every connection that is made to one of the ports from now on, and writes what
// becomes of the server's sockets to out, as lines of JSON that [Remote] reads. docs/observe.md
// describes them. It blocks until in, from which it takes orders, ends, ctx is done, or out cannot
// be written. It reads in until that ends, even after it has returned. The observer may have one
// stream, and no watch besides.
//
// It follows 4096 sockets at a time and writes 70 lines for each at most. While out is not
// read, it keeps what it has to say of these sockets, and nothing else, and does not return. A connection that is over
// within a few milliseconds may be missed.
func (o *Observer) Stream(ctx context.Context, ports []uint16, in io.Reader, out io.Writer) error {
	conn, err := netlink.Dial(familySockDiag, o.namespace.config())
	if err != nil {
		return fmt.Errorf("observe sockets of this host by sock_diag: %w", err)
	}
	defer func() { _ = conn.Close() }()
	s := &stream{o: o, out: bufio.NewWriter(out), began: time.Now(), written: map[uint64]*progress{}}
	c := &changes{followed: map[uint64]*followed{}, some: make(chan struct{}, 1)}
	o.mu.Lock()
	o.changes = c
	o.mu.Unlock()
	d := &discovery{o: o, ports: ports, conn: conn, buffer: make([]byte, messageSize)}
	if err := d.look(time.Now()); err != nil {
		return fmt.Errorf("list the connections of the ports: %w", err)
	}
	s.write(&line{Format: StreamFormat, Version: StreamVersion, Ports: ports})
	done, discovered, orders := make(chan struct{}), make(chan error, 1), make(chan order)
	var running sync.WaitGroup
	running.Go(func() { discovered <- d.run(done) })
	defer func() {
		close(done)
		running.Wait()
	}()
	go readOrders(in, orders, done)
	for s.flush() == nil {
		select {
		case order, more := <-orders:
			if !more {
				return nil
			}
			s.obey(order)
		case <-c.some:
			s.writeChanges()
		case err := <-discovered:
			return fmt.Errorf("list the connections of the ports: %w", err)
		case <-ctx.Done():
			return nil
		}
	}
	return s.failed
}

// readOrders passes on the orders until in ends or done is closed, and closes orders then. What
// it does not understand may be of a later version, and is left out.
func readOrders(in io.Reader, orders chan<- order, done <-chan struct{}) {
	defer close(orders)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostLineBytes)
	for lines.Scan() {
		var o order
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			continue
		}
		select {
		case orders <- o:
		case <-done:
			return
		}
	}
}

// stream is the writing end.
type stream struct {
	o       *Observer
	out     *bufio.Writer
	began   time.Time
	failed  error // the first error of out
	written map[uint64]*progress
}

// progress is what was written of one socket.
type progress struct {
	states                    int
	accepted, released, freed bool
}

func (s *stream) write(l *line) {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = s.out.Write(append(text, '\n'))
	}
	if s.failed == nil {
		s.failed = err
	}
}

func (s *stream) flush() error {
	if err := s.out.Flush(); s.failed == nil {
		s.failed = err
	}
	return s.failed
}

// at returns a moment as the stream gives it. What was seen before the stream began is 0.
func (s *stream) at(t time.Time) *int64 {
	ns := max(0, t.Sub(s.began).Nanoseconds())
	return &ns
}

func (s *stream) obey(o order) {
	if o.Sync != 0 {
		s.write(&line{Sync: o.Sync, At: s.at(time.Now())})
	}
	if o.Urgent != 0 {
		s.o.mu.Lock()
		if f := s.o.changes.followed[o.Urgent]; f != nil {
			f.watch.urgent = true
		}
		s.o.mu.Unlock()
	}
}

// news is what changed of one socket.
type news struct {
	cookie   uint64
	followed *followed
	lifetime Lifetime
	finished bool
}

// writeChanges writes what is new. That a process holds a socket is written before its release.
func (s *stream) writeChanges() {
	s.o.mu.Lock()
	c := s.o.changes
	lost, all := c.lost, make([]news, 0, len(c.pending))
	for _, w := range c.pending {
		n := news{w.cookie, c.followed[w.cookie], w.lifetime, w.finished}
		n.lifetime.Transitions = slices.Clone(w.lifetime.Transitions)
		if w.noted = false; n.finished {
			delete(c.followed, w.cookie)
		}
		all = append(all, n)
	}
	c.pending, c.lost = c.pending[:0], ""
	s.o.mu.Unlock()
	if lost != "" {
		s.write(&line{Event: lostEvent, At: s.at(time.Now()), Why: lost})
	}
	for _, n := range all {
		if n.followed != nil {
			s.writeNews(n)
		}
	}
}

func (s *stream) writeNews(n news) {
	p := s.written[n.cookie]
	if p == nil {
		p = &progress{}
		s.written[n.cookie] = p
	}
	about := func(e event, at time.Time, bound time.Duration) *line {
		l := &line{Event: e, At: s.at(at), Socket: n.cookie, Server: n.followed.server, Peer: n.followed.peer}
		l.Bound = min(bound.Nanoseconds(), *l.At)
		return l
	}
	once := func(e event, written *bool, at time.Time, bound time.Duration) {
		if !*written && !at.IsZero() {
			*written = true
			s.write(about(e, at, bound))
		}
	}
	l := n.lifetime
	once(acceptedEvent, &p.accepted, l.Accepted, 0)
	for ; p.states < len(l.Transitions); p.states++ {
		t := l.Transitions[p.states]
		state := about(stateEvent, t.At, 0)
		state.State, state.Held, state.Mini = t.State, t.Held, t.Mini
		s.write(state)
	}
	once(releasedEvent, &p.released, l.Released, l.ReleasedBound)
	once(freedEvent, &p.freed, l.Freed, l.FreedBound)
	if n.finished {
		delete(s.written, n.cookie)
	}
}
