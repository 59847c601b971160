package peers

import (
	"context"
	"testing"
	"time"
)

// GivingUp is called while the connection still stands, and only where the peer's
// own RST is what ends it.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		behave func(*conn)
		script Script
		want   bool
	}{
		{"the server holds on", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Opened(Trigger{}, HoldOpen{}), true},
		{"the server only sends FIN", func(c *conn) { c.upgrade(); c.fin(); _, _ = c.drain() }, Opened(Trigger{}, HoldOpen{}), true},
		{"both send FIN", func(c *conn) { c.upgrade(); c.fin(); _, _ = c.drain() }, Opened(Trigger{}, AwaitEnd{}, Finish{}), false},
		{"the server resets", func(c *conn) { c.upgrade(); c.rst() }, Opened(Trigger{}, AwaitEnd{}), false},
		{"the script resets", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Opened(Trigger{}, Reset{}), false},
		{"the script closes the socket", func(c *conn) { c.upgrade(); _, _ = c.drain() }, Opened(Trigger{}, CloseSocket{}), false},
		{"no handshake", func(c *conn) { _, _ = c.drain() }, Script{Connect{}, Trigger{}, HoldOpen{}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			o := serve(t, func(c *conn) { test.behave(c); close(ended) })
			o.Patience = soon
			called := false
			o.GivingUp = func(_ context.Context, until time.Time) {
				called = true
				select {
				case <-ended:
					t.Error("the server was told before")
				case <-time.After(50 * time.Millisecond): // in which a reset would have come
				}
				if late := time.Since(until); late > soon {
					t.Errorf("the patience was over %s ago", late)
				}
			}
			r := play(t, o, test.script...)
			if called != test.want || r.GaveUp != test.want {
				t.Errorf("called %t, gave up %t, want %t", called, r.GaveUp, test.want)
			}
			<-ended
		})
	}
}
