package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// A server may take so many connections and no more, and answer 429 or 503 to others. That says
// nothing of how it closes. finwait connects to it again, later, and opens no other connection
// before.
const (
	admissionTries   = 3
	admissionPause   = time.Second      // where the server does not say how long (Retry-After)
	admissionLongest = 10 * time.Second // nobody waits longer for a connection
	// Connections that were held back begin one after another, in this time at first, and then in
	// twice that while the server refuses them.
	admissionPace     = 50 * time.Millisecond
	admissionPaceMost = 200 * time.Millisecond
)

// admission holds back connections to a server that takes no more for a while.
type admission struct {
	mu      sync.Mutex
	until   time.Time     // no connection begins before
	next    time.Time     // when the next one may begin
	pace    time.Duration // between two; 0: none was refused
	paced   time.Time     // when the pace was last changed
	refused int           // connections
	last    int           // the HTTP status with which the last one was refused

	alone atomic.Bool // finwait has no other connection when it asks whether the server is alive
}

// admit plays a peer until the server takes its connection, three times at most. It waits for
// [admissionLongest] at most in all.
func (e *endpoint) admit(ctx context.Context, play func() *evidence.Record) *evidence.Record {
	limit := time.Now().Add(admissionLongest)
	for try := 1; ; try++ {
		e.admission.wait(ctx, limit)
		began := time.Now()
		rec := play()
		if again := e.makeRoom(rec.Record, began, limit); !again || try == admissionTries || ctx.Err() != nil {
			return rec
		}
	}
}

// makeRoom is called after a peer was played. If the server did not take its connection, which
// began at the time, witnesses give way. It tells whether the server may take it until the limit.
func (e *endpoint) makeRoom(r *peers.Record, began, limit time.Time) (again bool) {
	status, busy := busyStatus(r)
	if !busy && !notTaken(r) {
		return false
	}
	room := e.crew.giveWay(began)
	if !busy {
		return room && e.admission.holdBack(0, began, limit)
	}
	e.admission.countRefusal(status.Status)
	return e.admission.holdBack(status.RetryAfter, began, limit)
}

// busyStatus returns the status with which a server refused a connection that it may take later.
func busyStatus(r *peers.Record) (status *peers.StatusError, is bool) {
	is = !r.Triggered && errors.As(r.Failure, &status) && status.Busy()
	return status, is
}

// notTaken reports whether the server ended a connection, or said nothing, before the WebSocket was
// open, as one does that has reached a limit of its connections or descriptors.
func notTaken(r *peers.Record) bool {
	var timeout net.Error
	return !r.Triggered && r.Status == 0 && (errors.As(r.Failure, new(*peers.EndedError)) ||
		errors.As(r.Failure, new(*peers.SilentError)) || errors.As(r.Failure, &timeout) && timeout.Timeout())
}

// wait blocks while the server takes no connection, until the limit at most.
func (a *admission) wait(ctx context.Context, limit time.Time) {
	for {
		begin := a.turn()
		if begin.After(limit) {
			begin = limit
		}
		timer := time.NewTimer(time.Until(begin))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if !a.heldBackUntil().After(begin) || !begin.Before(limit) {
			return
		}
	}
}

// turn returns when a connection may begin, as far as is known by now.
func (a *admission) turn() (begin time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	begin = time.Now()
	if a.pace == 0 {
		return begin
	}
	for _, other := range []time.Time{a.until, a.next} {
		if other.After(begin) {
			begin = other
		}
	}
	a.next = begin.Add(a.pace)
	return begin
}

func (a *admission) heldBackUntil() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.until
}

// countRefusal counts a connection that was refused with an HTTP status.
func (a *admission) countRefusal(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused++
	a.last = status
}

// holdBack lets no connection begin for so long, and then one after another; 0: for a usual time.
// It follows from one that began at a time and was refused. It tells whether another one may begin
// before the limit.
func (a *admission) holdBack(pause time.Duration, began, limit time.Time) bool {
	if pause == 0 {
		pause = admissionPause
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if began.After(a.paced) || a.pace == 0 {
		a.pace, a.paced = min(max(admissionPace, 2*a.pace), admissionPaceMost), now
	}
	if until := now.Add(min(pause, admissionLongest)); until.After(a.until) {
		a.until, a.next = until, until
	}
	return !a.until.After(limit)
}

// unavailable reports whether the last connection that was refused was so with HTTP 503.
func (a *admission) unavailable() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last == http.StatusServiceUnavailable
}

// note tells the reader of the results that the server refused connections. It is empty if it
// refused none.
func (a *admission) note() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == 0 {
		return ""
	}
	return fmt.Sprintf("the server refused %d connections with HTTP 429 or 503, and they were made later: "+
		"give a lower --max-connections or --at-once", a.refused)
}

// skipIfBusy tells whether the server did not take the connection, and makes the result a skip then.
func (r *Result) skipIfBusy() bool {
	status, is := busyStatus(r.Record.Record)
	if is {
		r.Verdict, r.Missing, r.Err = Skip, []evidence.Capability{evidence.Admission}, status.Error()
	}
	return is
}
