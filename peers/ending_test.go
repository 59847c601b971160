package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestEndings tells every end of TCP apart, whether the peer reads or not.
func TestEndings(t *testing.T) {
	const later = 60 * time.Millisecond
	hold := func(c *conn) { _, _ = c.drain() }
	tests := []struct {
		name         string
		tls, stopped bool
		end          func(*conn) // later after the trigger
		want         Ending
		fin, rst, cn bool
	}{
		{name: "open", end: hold, want: Open},
		{name: "fin", end: func(c *conn) { c.fin(); hold(c) }, want: FIN, fin: true},
		{name: "rst", end: (*conn).rst, want: RST, rst: true},
		{name: "fin and rst together", end: func(c *conn) { c.fin(); c.rst() }, want: FIN, fin: true, rst: true},
		{name: "open, not reading", stopped: true, end: hold, want: Open},
		{name: "fin, not reading", stopped: true, end: func(c *conn) { c.fin(); hold(c) }, want: FIN, fin: true},
		{name: "fin behind data, not reading", stopped: true,
			end: func(c *conn) { c.send(Filler(100)); c.fin(); hold(c) }, want: FIN, fin: true},
		{name: "rst, not reading", stopped: true, end: (*conn).rst, want: RST, rst: true},
		{name: "fin and rst together, not reading", stopped: true, end: func(c *conn) { c.fin(); c.rst() }, want: FIN,
			fin: true, rst: true},
		{name: "tls open", tls: true, end: hold, want: Open},
		{name: "tls bare fin", tls: true, end: func(c *conn) { c.fin(); hold(c) }, want: FIN, fin: true},
		{name: "tls close_notify and fin", tls: true, end: func(c *conn) { closeNotify(c); c.fin(); hold(c) }, want: FIN,
			fin: true, cn: true},
		{name: "tls close_notify and no fin", tls: true, end: func(c *conn) { closeNotify(c); hold(c) }, want: Open, cn: true},
		{name: "tls close_notify and rst", tls: true, end: func(c *conn) { closeNotify(c); time.Sleep(later); c.rst() },
			want: RST, rst: true, cn: true},
		{name: "tls rst", tls: true, end: (*conn).rst, want: RST, rst: true},
		{name: "tls truncated record and fin", tls: true, end: func(c *conn) {
			_, _ = c.tcp.Write([]byte{23, 3, 3, 0, 99,
				1})
			c.fin()
			hold(c)
		}, want: FIN, fin: true},
		{name: "tls garbage and fin", tls: true, end: func(c *conn) {
			_, _ = io.WriteString(c.tcp,
				"garbage")
			c.fin()
			hold(c)
		}, want: FIN, fin: true},
		{name: "tls fin, not reading", tls: true, stopped: true, end: func(c *conn) { c.fin(); hold(c) }, want: FIN, fin: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.stopped && watchable() != nil {
				t.Skip("needs the kernel's events on a socket that is not read")
			}
			listen := serve
			if test.tls {
				listen = serveTLS
			}
			ready := make(chan struct{})
			o := listen(t, func(c *conn) { c.upgrade(); <-ready; time.Sleep(later); test.end(c) })
			o.Patience = 5 * later
			script := Opened(Trigger{})
			if test.stopped {
				script = append(script, StopReading{})
			}
			// The second wait sees an RST that followed the FIN.
			ended := until(func(r *Record) bool { return r.Ending != Open }) // AwaitEnd is content with close_notify
			r := play(t, o, append(script, tell(ready), ended, Pause{3 * later / 2})...)
			if r.Ending != test.want || (r.FIN != nil) != test.fin || (r.RST != nil) != test.rst || (r.CloseNotify != nil) != test.cn {
				t.Errorf("%s, FIN %v, RST %v, close_notify %v", r.Ending, r.FIN, r.RST, r.CloseNotify)
				dump(t, r)
			}
			want := later
			switch {
			case test.want == Open:
				want = o.Patience
			case test.want == RST && test.cn:
				want = 2 * later
			}
			within(t, "ending", r.EndedAt, want)
			if test.cn && (*r.CloseNotify < later || test.fin && *r.CloseNotify > *r.FIN) {
				t.Errorf("close_notify at %s, FIN at %v", *r.CloseNotify, r.FIN)
			}
			if test.rst && count(r, Local, "TCP closed") > 0 {
				t.Error("the trace says that TCP was closed by FINs")
				dump(t, r)
			}
		})
	}
}

func closeNotify(c *conn) { _ = c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// TestFINThenRST: the server has closed its descriptor when the peer's bytes
// come.
func TestFINThenRST(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade() })
	r := play(t, o, Opened(Trigger{}, AwaitEnd{}, Send{Text("late")}, Finish{})...)
	if r.Ending != FIN || r.FIN == nil || r.RST == nil || *r.FIN > *r.RST || r.EndedAt != *r.FIN {
		t.Errorf("%s at %s, FIN %v, RST %v", r.Ending, r.EndedAt, r.FIN, r.RST)
	}
}

// TestResetThatAWriterSaw: read(2) then tells EOF, though no FIN came, whether
// the writer has already said so or not.
func TestResetThatAWriterSaw(t *testing.T) {
	for _, said := range []bool{true, false} {
		t.Run(fmt.Sprint(said), func(t *testing.T) {
			t.Parallel()
			if !said && watchable() != nil {
				t.Skip("needs the state of TCP")
			}
			ready, reset := make(chan struct{}), make(chan struct{})
			o := serve(t, func(c *conn) { c.upgrade(); <-ready; c.rst(); close(reset) })
			write := do(func(_ context.Context, p *Peer) error {
				to := io.Writer(p.wire)
				if !said {
					to = p.wire.TCPConn
				}
				if _, err := to.Write(Text("late").Encode()); err == nil {
					return errors.New("the write was not told of the reset")
				}
				return nil
			})
			slow := SlowReading{1, 100 * time.Millisecond}
			r := play(t, o, Opened(Trigger{}, slow, tell(ready), wait(reset), write, Pause{150 * time.Millisecond})...)
			if r.Ending != RST || r.FIN != nil || r.RST == nil {
				t.Errorf("%s, FIN %v, RST %v", r.Ending, r.FIN, r.RST)
			}
		})
	}
}

// TestFinish: TCP closed by both sides ends the script at once, in whatever
// order, and however the peer read before.
func TestFinish(t *testing.T) {
	if watchable() != nil {
		t.Skip("needs the kernel's events")
	}
	answer := func(c *conn) { c.upgrade(); _, _ = c.drain() }
	first := func(c *conn) { c.upgrade(); c.fin(); _, _ = c.drain() }
	tests := []struct {
		name   string
		behave func(*conn)
		script Script
	}{
		{"peer first", answer, Script{Finish{}}},
		{"peer first, not reading", answer, Script{StopReading{}, Finish{}}},
		{"server first", first, Script{AwaitEnd{}, Finish{}}},
		{"server first, not reading", first, Script{StopReading{}, AwaitEnd{}, Finish{}}},
		{"server first, then not reading", first, Script{AwaitEnd{}, StopReading{}, SlowReading{1, time.Millisecond}, Finish{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := play(t, serve(t, test.behave), Opened(append(Script{Trigger{}}, test.script...)...)...)
			within(t, "the end", r.Stopped, 0)
			if r.FIN == nil || r.PeerFIN == nil || r.RST != nil {
				t.Errorf("FIN %v, peer's FIN %v, RST %v", r.FIN, r.PeerFIN, r.RST)
			}
		})
	}
}

// TestHowThePeerEnds: quietly after both FINs, else by an RST.
func TestHowThePeerEnds(t *testing.T) {
	tests := []struct {
		name   string
		script Script
		reset  bool
	}{
		{"both FINs", Script{Finish{}}, false},
		{"no step", nil, true},
		{"half-close, server holds", Script{HalfClose{}, Pause{20 * time.Millisecond}}, true},
		{"reset", Script{Reset{}}, true},
		{"hang up", Script{CloseSocket{}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			how := make(chan error, 1)
			o := serve(t, func(c *conn) {
				c.upgrade()
				_, err := c.drain()
				if err == nil && test.reset { // the FIN of the half-close: the RST is behind it
					for err == nil && t.Context().Err() == nil {
						_, err = c.tcp.Write([]byte{0x8a, 0})
						time.Sleep(time.Millisecond)
					}
				}
				how <- err
			})
			r := play(t, o, Opened(append(Script{Trigger{}}, test.script...)...)...)
			if err := <-how; (err != nil) != test.reset {
				t.Errorf("the server saw %v", err)
			}
			if blind := r.Ending == Unseen; blind != strings.HasPrefix(test.name, "reset") && blind != (test.name == "hang up") {
				t.Errorf("ending %s", r.Ending)
			}
		})
	}
}

// awaitRST waits for the RST that follows a FIN.
type awaitRST struct{}

func (awaitRST) Do(ctx context.Context, p *Peer) error {
	return p.await(ctx, func() bool { return p.live.rst != nil })
}

func (awaitRST) String() string { return "await RST" }

// TestTimes compares the peer's times with the server's own clock: the same
// one. The median of several runs has to be near.
func TestTimes(t *testing.T) {
	const runs, near = 7, 5 * time.Millisecond
	var off [4][]time.Duration
	what := [...]string{"message", "close", "FIN", "RST"}
	for range runs {
		at, seen := make(chan time.Time, len(what)), make(chan struct{}, len(what))
		o := serve(t, func(c *conn) {
			c.upgrade()
			for _, act := range []func(){
				func() { c.send(Text("a")) },
				func() { c.send(CloseFrame(1000, "")) },
				c.fin,
				c.rst,
			} {
				<-seen
				at <- time.Now()
				act()
			}
		})
		next := do(func(context.Context, *Peer) error { seen <- struct{}{}; return nil })
		r := play(t, o, Opened(Trigger{}, next, AwaitMessages{1}, next, AwaitClose{}, next, AwaitEnd{}, next, awaitRST{})...)
		if len(r.Messages) != 1 || len(r.Closes) != 1 || r.FIN == nil || r.RST == nil {
			dump(t, r)
			t.Fatal("something is missing")
		}
		for i, seen := range []time.Duration{r.Messages[0].At, r.Closes[0].At, *r.FIN, *r.RST} {
			off[i] = append(off[i], r.Trigger.Add(seen).Sub(<-at))
		}
	}
	for i, d := range off {
		if m := median(d); m < 0 || m > near {
			t.Errorf("%s: %s after the server's clock (%v)", what[i], m, d)
		}
	}
}
