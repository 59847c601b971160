package peers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Barrier is where the peers of a crowd wait for each other, so that all of them
// share one trigger.
type Barrier struct {
	mu       sync.Mutex
	missing  int           // peers that have not joined, without the leader
	present  int           // peers that have not left
	complete chan struct{} // closed when nobody is missing
	start    chan struct{} // closed at the trigger
	trigger  time.Time
	allLeft  chan struct{} // closed when everybody has left
	broken   chan struct{} // closed when a peer failed before it joined
	cause    error         // why it failed
}

// errNoCrowd says that a script for a peer of a crowd was played without one.
var errNoCrowd = errors.New("there is no crowd")

// NewBarrier is a barrier for a leader and n others.
func NewBarrier(n int) *Barrier {
	r := &Barrier{missing: n, present: n + 1, complete: make(chan struct{}), start: make(chan struct{}),
		allLeft: make(chan struct{}), broken: make(chan struct{})}
	if n == 0 {
		close(r.complete)
	}
	return r
}

// WaitComplete blocks until all have joined, or one of them failed before.
func (r *Barrier) WaitComplete() {
	select {
	case <-r.complete:
	case <-r.broken:
	}
}

// AllLeft is closed when the leader and all others have done [LeaveBarrier].
func (r *Barrier) AllLeft() <-chan struct{} { return r.allLeft }

// join counts a peer that waits, other than the leader.
func (r *Barrier) join() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing--; r.missing == 0 {
		close(r.complete)
	}
}

// fail tells all who wait that a peer failed before it joined.
func (r *Barrier) fail(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = cause
		close(r.broken)
	}
}

// await waits until event is closed, or the barrier is broken.
func (r *Barrier) await(ctx context.Context, event <-chan struct{}) error {
	select {
	case <-event:
		return nil
	case <-r.broken:
		return fmt.Errorf("another peer of the crowd: %w", r.cause)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// LeaveBarrier says that what the crowd waited for has happened to this peer. When all
// peers have left, others may use the server.
type LeaveBarrier struct{}

// Do implements [Step].
func (LeaveBarrier) Do(_ context.Context, p *Peer) error {
	r := p.opt.Barrier
	if r == nil {
		return errNoCrowd
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.present--; r.present == 0 {
		close(r.allLeft)
	}
	return nil
}

func (LeaveBarrier) String() string { return "leave the crowd" }

// JoinBarrier waits until every peer of the crowd has joined, and the leader then
// triggers all of them. However long the others take, the setup's limit of each peer
// counts for itself alone; where one of them fails, all do.
type JoinBarrier struct {
	Lead  bool
	After time.Duration // it joins so long after its handshake
}

// Do implements [Step].
func (s JoinBarrier) Do(ctx context.Context, p *Peer) error {
	r := p.opt.Barrier
	if r == nil {
		return errNoCrowd
	}
	if p.opt.Waiting != nil {
		p.opt.Waiting()
	}
	if err := p.awaitAccepted(ctx); err != nil {
		return err
	}
	if err := (Pause{s.After}).Do(ctx, p); err != nil {
		return err
	}
	event := r.start
	if s.Lead {
		event = r.complete
	} else {
		r.join()
	}
	if err := r.await(ctx, event); err != nil {
		return err
	}
	p.callTriggered()
	if s.Lead {
		r.trigger = time.Now()
	}
	p.mu.Lock()
	ended := p.live.ending != Open && p.start.Add(p.live.endedAt).Before(r.trigger)
	p.mu.Unlock()
	if ended {
		return fmt.Errorf("%w before the crowd was complete", p.whyOver())
	}
	if p.barrierPassed = true; s.Lead {
		close(r.start)
	}
	p.setTrigger(r.trigger)
	return nil
}

func (s JoinBarrier) String() string {
	out := "join the crowd, trigger"
	if s.Lead {
		out = "gather the crowd, trigger"
	}
	if s.After > 0 {
		out = Pause{s.After}.String() + ", " + out
	}
	return out
}

// ConnectAfter joins the crowd without a connection, and opens one After its trigger:
// it sends the request and waits for the response. That the server refuses the
// connection, cuts it or answers with another status is no error: the record
// tells.
type ConnectAfter struct{ After time.Duration }

// Do implements [Step].
func (s ConnectAfter) Do(ctx context.Context, p *Peer) error {
	for _, step := range (Script{JoinBarrier{}, Pause{s.After}}) {
		if err := step.Do(ctx, p); err != nil {
			return err
		}
	}
	if err := (Connect{}).Do(ctx, p); err != nil {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, new(*Shortage)):
			return err
		}
		p.update(func() {
			p.live.refused = errors.Is(err, syscall.ECONNREFUSED) || isReset(err)
			p.recording.note(p.now(), Local, EventConnect, "no connection: "+errno(err))
		})
		return errOver
	}
	for _, step := range (Script{SendRequest{}, AwaitUpgrade{}}) {
		if err := step.Do(ctx, p); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errOver // as the record tells
		}
	}
	return nil
}

func (s ConnectAfter) String() string {
	return fmt.Sprintf("join the crowd without a connection, trigger; connect after %s", s.After)
}
