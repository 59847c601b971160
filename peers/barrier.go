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
	missing  int
	present  int
	ready    chan struct{} // closed when nobody is missing
	start    chan struct{} // closed at the trigger
	at       time.Time     // of the trigger
	finished chan struct{} // closed when everybody has left
	broken   chan struct{} // closed when somebody will never be there, because of cause
	cause    error
}

// errNoCrowd says that a script for a peer of a crowd was played without one.
var errNoCrowd = errors.New("there is no crowd")

// NewBarrier is a rally of a leader and n others.
func NewBarrier(n int) *Barrier {
	r := &Barrier{missing: n, present: n + 1, ready: make(chan struct{}), start: make(chan struct{}), finished: make(chan struct{}), broken: make(chan struct{})}
	if n == 0 {
		close(r.ready)
	}
	return r
}

// WaitComplete blocks until nobody is missing, or somebody will never be there.
func (r *Barrier) WaitComplete() {
	select {
	case <-r.ready:
	case <-r.broken:
	}
}

// AllLeft is closed when the leader and all others have done [LeaveBarrier].
func (r *Barrier) AllLeft() <-chan struct{} { return r.finished }

func (r *Barrier) arrive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing--; r.missing == 0 {
		close(r.ready)
	}
}

// giveUp says that somebody will never be there.
func (r *Barrier) giveUp(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = cause
		close(r.broken)
	}
}

// await waits until event is closed, or the rally is broken.
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

// LeaveBarrier says that what the crowd met for has happened to this peer. The server
// may be left to others when all have left.
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
		close(r.finished)
	}
	return nil
}

func (LeaveBarrier) String() string { return "leave the crowd" }

// JoinBarrier waits until every peer of the rally is there; then it is the trigger of
// all. One of them leads. However long the others take, each has the setup's limit
// for itself; where one of them fails, all do.
type JoinBarrier struct {
	Lead  bool
	After time.Duration // that it is there after its handshake
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
		event = r.ready
	} else {
		r.arrive()
	}
	if err := r.await(ctx, event); err != nil {
		return err
	}
	p.callTriggered()
	if s.Lead {
		r.at = time.Now()
	}
	p.mu.Lock()
	ended := p.live.ending != Open && p.start.Add(p.live.endedAt).Before(r.at)
	p.mu.Unlock()
	if ended {
		return fmt.Errorf("%s before the crowd was complete", p.whyOver())
	}
	if p.barrierPassed = true; s.Lead {
		close(r.start)
	}
	p.setTrigger(r.at)
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
