package peers

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// meet plays a leader and one other, and returns what became of them.
func meet(t *testing.T, leads, joins Options, others Script) (leader, other *Record) {
	t.Helper()
	r := NewBarrier(1)
	leads.Barrier, joins.Barrier = r, r
	var running sync.WaitGroup
	running.Go(func() { other = Run(t.Context(), others, joins) })
	leader = Run(t.Context(), Opened(JoinBarrier{Lead: true}), leads)
	running.Wait()
	return leader, other
}

// TestGatherLongerThanSetup: the setup's limit is each peer's own, not that of the
// crowd.
func TestGatherLongerThanSetup(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	late := o
	o.Setup = time.Second
	wait := do(func(context.Context, *Peer) error { time.Sleep(1200 * time.Millisecond); return nil }) // in which the leader's setup ends
	leader, other := meet(t, o, late, Opened(wait, JoinBarrier{}))
	if leader.Err != "" || other.Err != "" || !leader.Triggered || !other.Triggered {
		t.Errorf("%q, %q", leader.Err, other.Err)
	}
}

// TestGatherWithoutOne: where a peer cannot be there, the others know at once, and
// why.
func TestGatherWithoutOne(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	refusing := serve(t, func(c *conn) { c.write("HTTP/1.1 503 Full\r\n\r\n"); _, _ = c.drain() })
	leader, other := meet(t, o, refusing, Opened(JoinBarrier{}))
	if leader.Triggered || !strings.Contains(leader.Err, "another peer of the crowd: ") || !strings.Contains(leader.Err,
		"503") || !strings.Contains(other.Err, "503") {
		t.Errorf("%q, %q", leader.Err, other.Err)
	}
	within(t, "the end", leader.Stopped+leader.Trigger.Sub(leader.Start), 0)
}

// TestGatherAfterTheEnd: a connection that ends before the crowd is complete.
func TestGatherAfterTheEnd(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	ends := serve(t, func(c *conn) { c.upgrade(); c.fin(); _, _ = c.drain() })
	leader, other := meet(t, o, ends, Opened(AwaitEnd{}, JoinBarrier{}))
	if other.Triggered || !strings.Contains(other.Err, "the server ended TCP (fin) before the crowd was complete") {
		t.Errorf("%q, %q", leader.Err, other.Err)
	}
}
