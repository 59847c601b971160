package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	admissionLongest = 10 * time.Second // nobody waits longer
)

// admission holds back connections to a server that takes no more for a while.
type admission struct {
	mu      sync.Mutex
	until   time.Time
	refused int // connections
}

// run plays a peer until the server takes its connection, three times at most.
func (a *admission) run(ctx context.Context, play func() *evidence.Record) *evidence.Record {
	for try := 1; ; try++ {
		a.wait(ctx)
		rec := play()
		busy, is := busyStatus(rec.Record)
		if !is || try == admissionTries || ctx.Err() != nil {
			return rec
		}
		a.holdBack(busy.RetryAfter)
	}
}

// busyStatus returns the status with which a server refused a connection that it may take later.
func busyStatus(r *peers.Record) (status *peers.StatusError, is bool) {
	is = !r.Triggered && errors.As(r.Failure, &status) && status.Busy()
	return status, is
}

// wait blocks while the server takes no connection.
func (a *admission) wait(ctx context.Context) {
	for {
		a.mu.Lock()
		left := time.Until(a.until)
		a.mu.Unlock()
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// holdBack lets no connection begin for so long; 0: for a usual time.
func (a *admission) holdBack(pause time.Duration) {
	if pause == 0 {
		pause = admissionPause
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused++
	if until := time.Now().Add(min(pause, admissionLongest)); until.After(a.until) {
		a.until = until
	}
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
