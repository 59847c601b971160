package peers

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// runContext counts what waits for its end.
type runContext struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int32
}

func (c *runContext) Done() <-chan struct{} { return c.done }

func (c *runContext) AfterFunc(func()) func() bool {
	c.waiting.Add(1)
	return sync.OnceValue(func() bool { c.waiting.Add(-1); return true })
}

// TestPeerLeavesItsRun: a peer that is over leaves nothing behind with the run,
// which goes on.
func TestPeerLeavesItsRun(t *testing.T) {
	for name, script := range map[string]Script{"opened": Opened(Trigger{}), "not opened": {Connect{}, AwaitUpgrade{}}} {
		o := serve(t, func(c *conn) { c.upgrade() })
		o.Setup = 100 * time.Millisecond
		run := &runContext{Context: t.Context(), done: make(chan struct{})}
		Run(run, script, o)
		if n := run.waiting.Load(); n != 0 {
			t.Errorf("%s: %d functions still wait for the end of the run", name, n)
		}
	}
}

// TestCancel: whatever a peer waits for, a cancelled run ends it at once, and
// the record has the cause.
func TestCancel(t *testing.T) {
	silent := func(c *conn) { _, _ = c.drain() }
	echo := func(c *conn) { c.upgrade(); _, _ = c.drain() }
	stuck := func(c *conn) { c.upgrade(); <-c.over }
	opened := func(s ...Step) Script { return Opened(append(Script{Trigger{}}, s...)...) }
	tests := []struct {
		name   string
		tls    bool
		behave func(*conn)
		script Script
	}{
		{"TLS handshake", true, func(c *conn) { <-c.over }, Script{Connect{}}},
		{"upgrade", false, silent, Opened()},
		{"close", false, echo, opened(AwaitClose{})},
		{"text", false, echo, opened(AwaitText{"a"})},
		{"answer", false, echo, opened(AwaitAnswer{"a"})},
		{"messages", false, echo, opened(AwaitMessages{1})},
		{"bytes", false, echo, opened(AwaitBytes{1 << 20})},
		{"end", false, echo, opened(AwaitEnd{})},
		{"end, not reading", false, echo, opened(StopReading{}, AwaitEnd{})},
		{"end, reading slowly", false, echo, opened(SlowReading{1, never}, AwaitEnd{})},
		{"hold open", false, echo, opened(HoldOpen{})},
		{"finish", false, stuck, opened(Finish{})},
		{"pause", false, echo, opened(Pause{never})},
		{"keep sending", false, echo, opened(KeepSending{Text("a"), never})},
		{"keep sending fast", false, echo, opened(KeepSending{Text("a"), time.Millisecond})},
		{"drip", false, echo, opened(SendPart{Frame: Text("abc"), Every: never})},
		{"send", false, stuck, opened(KeepSending{Frame: Filler(64 << 10)})},
		{"send, TLS", true, stuck, opened(KeepSending{Frame: Filler(64 << 10)})},
		{"send until blocked", false, stuck, opened(SendUntilBlocked{Filler(64 << 10), 64 << 20, never})},
		{"ACK", false, stuck, opened(Send{Filler(1 << 20)}, AwaitAcked{})},
		{"before anything", false, echo, opened()},
	}
	cause := errors.New("the test has seen enough")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listen := serve
			if test.tls {
				listen = serveTLS
			}
			o := listen(t, test.behave)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var at time.Time
			stop := func() { at = time.Now(); cancel(cause) }
			if test.name == "before anything" {
				stop()
			} else {
				defer time.AfterFunc(150*time.Millisecond, stop).Stop()
			}
			r := Run(ctx, test.script, o)
			if at.IsZero() {
				t.Fatalf("it did not wait: %s, error %q", r.Ending, r.Err)
			}
			within(t, "the end after the cancellation", time.Since(at), 0)
			if !strings.Contains(r.Err, cause.Error()) {
				t.Errorf("error %q", r.Err)
			}
		})
	}
}

// TestCancelTrigger: the wait for a server's socket to come in sight.
func TestCancelTrigger(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { _, _ = c.drain() })
	o.Connected = func(_, _ netip.AddrPort) ServerSocket { return ServerSocket{Accepted: make(chan struct{})} }
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	if r := Run(ctx, Script{Connect{}, Trigger{}}, o); r.Err != "trigger: enough" || r.Triggered {
		t.Errorf("error %q, triggered %t", r.Err, r.Triggered)
	}
}

// TestSight: an observed peer holds on until the server's socket is gone, and
// no longer.
func TestSight(t *testing.T) {
	tests := []struct {
		name   string
		gone   time.Duration // after the trigger; 0: never
		end    func(*conn)
		script Script
		want   Ending
		at     time.Duration
	}{
		{"FIN long before", 100 * time.Millisecond, (*conn).fin, nil, FIN, 100 * time.Millisecond},
		{"never gone", 0, (*conn).fin, nil, FIN, 1500 * time.Millisecond},
		{"the peer reset", 100 * time.Millisecond, nil, Script{Reset{}}, Unseen, 100 * time.Millisecond},
		{"the peer keeps sending", 100 * time.Millisecond, (*conn).fin, Script{KeepSending{Text("a"),
			10 * time.Millisecond}}, FIN, 100 * time.Millisecond},
		{"gone, and no packet came", 100 * time.Millisecond, nil, Script{HoldOpen{}}, Open, 100*time.Millisecond + lastPacket},
		{"a hung server", 0, nil, Script{HoldOpen{}}, Open, 1500 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) {
				c.upgrade()
				if test.end != nil {
					test.end(c)
				}
				_, _ = c.drain()
			})
			o.Patience = 1500 * time.Millisecond
			accepted, gone := make(chan struct{}), make(chan struct{})
			close(accepted)
			o.Connected = func(_, _ netip.AddrPort) ServerSocket { return ServerSocket{Accepted: accepted, Gone: gone} }
			leave := do(func(context.Context, *Peer) error {
				if test.gone > 0 {
					time.AfterFunc(test.gone, func() { close(gone) })
				}
				return nil
			})
			r := play(t, o, Opened(append(Script{Trigger{}, leave}, test.script...)...)...)
			if r.Ending != test.want {
				t.Errorf("ending %s", r.Ending)
			}
			within(t, "the end", r.Stopped, test.at)
		})
	}
}

// TestNotObserved: why a socket is not observed is told with what was seen.
func TestNotObserved(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); c.fin(); _, _ = c.drain() })
	why := errors.New("the server is on another host")
	o.Connected = func(_, _ netip.AddrPort) ServerSocket { return ServerSocket{NotObserved: why} }
	if r := play(t, o, Opened(Trigger{}, HoldOpen{})...); !errors.Is(r.NotObserved, why) || r.Ending != FIN {
		t.Errorf("%v, %s", r.NotObserved, r.Ending)
	}
}

// TestHoldAfterRefusal: an answer is no end of TCP.
func TestHoldAfterRefusal(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.write("HTTP/1.1 400 Bad Request\r\n\r\n"); _, _ = c.drain() })
	o.Patience = 300 * time.Millisecond
	r := play(t, o, Connect{}, SendRequest{Half: true}, Trigger{}, HoldOpen{})
	if r.Status != 400 || r.Ending != Open {
		t.Errorf("HTTP %d, %s", r.Status, r.Ending)
	}
	within(t, "the end", r.Stopped, o.Patience)
}

// TestLastLook: the observer looks once more before the peer resets a connection whose server
// socket is not known to be gone.
func TestLastLook(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		ended := make(chan struct{})
		o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain(); close(ended) })
		o.Patience = soon
		looks, closed := 0, make(chan struct{})
		if gone {
			close(closed)
		}
		o.Connected = func(_, _ netip.AddrPort) ServerSocket {
			return ServerSocket{Gone: closed, LastLook: func() {
				looks++
				select {
				case <-ended:
					t.Error("the peer has ended its side")
				default:
				}
			}}
		}
		r := play(t, o, Opened(Trigger{}, HoldOpen{})...)
		if want := map[bool]int{false: 1, true: 0}[gone]; looks != want || r.Err != "" {
			t.Errorf("gone %t: %d looks, want %d; %s", gone, looks, want, r.Err)
		}
		<-ended
	}
}
