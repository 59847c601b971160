package peers

import (
	"context"
	"strings"
	"testing"
	"time"
)

// show prints looks for a failed test.
func show(looks []Look) string {
	var b strings.Builder
	for _, l := range looks {
		b.WriteString("\n  " + string(l.State) + " asked " + l.Asked.String() + " answered " + l.Answered.String() + ": " + l.How)
	}
	return b.String()
}

// states are the states of the looks, in their order.
func states(looks []Look) string {
	var out []string
	for _, l := range looks {
		out = append(out, string(l.State))
	}
	return strings.Join(out, ", ")
}

// the server's part in these tests; each ends by waiting for the end of the test.
func holdOn(c *conn) { <-c.over }

// TestProbe: one probe tells whether the process of a server holds its socket, whatever has
// become of the connection.
func TestProbe(t *testing.T) {
	t.Parallel()
	const at = 300 * time.Millisecond
	tests := []struct {
		name   string
		tls    bool
		server func(*conn)
		script Script
		probe  Probe
		want   string // states
		how    string // of the last look
	}{
		{name: "open", server: holdOn, script: Script{HoldOpen{}}, probe: Probe{At: at}, want: "held", how: "one byte acknowledged"},
		{name: "held after FIN", server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{HoldOpen{}}, probe: Probe{At: at},
			want: "held, held", how: "one byte acknowledged"},
		{name: "closed", server: func(c *conn) { _ = c.tcp.Close() }, script: Script{HoldOpen{}}, probe: Probe{At: at},
			want: "held, let go", how: "RST in answer to one byte"},
		{name: "reset", server: (*conn).rst, script: Script{HoldOpen{}}, probe: Probe{At: at},
			want: "held, let go", how: "the server's RST"},
		{name: "paused", server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{Pause{never}}, probe: Probe{At: at},
			want: "held, held", how: "one byte acknowledged"},
		{name: "awaiting", server: holdOn, script: Script{AwaitText{"never"}}, probe: Probe{At: at}, want: "held", how: "one byte acknowledged"},
		{name: "at its end", server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{AwaitEnd{}, Pause{50 * time.Millisecond}},
			want: "held, held", how: "one byte acknowledged"},
		{name: "a polite peer, held", server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{AwaitEnd{}, Finish{}},
			probe: Probe{BeforeFIN: true}, want: "held, held", how: "one byte acknowledged"},
		{name: "a polite peer, closed", server: func(c *conn) { _ = c.tcp.Close() }, script: Script{AwaitEnd{}, Finish{}},
			probe: Probe{BeforeFIN: true}, want: "held, let go", how: "RST in answer to one byte"},
		{name: "a polite peer without a probe before FIN", server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{AwaitEnd{}, HalfClose{}},
			probe: Probe{At: at}, want: "held", how: "the server's FIN"},
		{name: "tls, held", tls: true, server: func(c *conn) { c.fin(); holdOn(c) }, script: Script{HoldOpen{}}, probe: Probe{At: at},
			want: "held, held", how: "one byte acknowledged"},
		{name: "tls, closed", tls: true, server: func(c *conn) { _ = c.tcp.Close() }, script: Script{HoldOpen{}}, probe: Probe{At: at},
			want: "held, let go", how: "RST in answer to one byte"},
		{name: "inside a frame", server: func(c *conn) { c.fin(); holdOn(c) },
			script: Script{SendPart{Frame: Text("half"), Leave: 3}, HoldOpen{}}, probe: Probe{At: at},
			want: "held, held", how: "one byte acknowledged"},
		{name: "reset by the peer", server: holdOn, script: Script{Reset{}}, probe: Probe{At: at}, want: "unknown",
			how: "the peer had ended its own side"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ready, listen := make(chan struct{}), serve
			if test.tls {
				listen = serveTLS
			}
			o := listen(t, func(c *conn) { c.upgrade(); <-ready; test.server(c) })
			o.Probe = &test.probe
			r := play(t, o, Opened(append(Script{AwaitAcked{}, Trigger{}, tell(ready)}, test.script...)...)...)
			looks := r.Looks()
			if got := states(looks); got != test.want || looks[len(looks)-1].How != test.how {
				t.Errorf("%s, want %s by %s:%s", got, test.want, test.how, show(looks))
				dump(t, r)
			}
			if asked := looks[len(looks)-1].Asked; strings.Contains(test.how, "byte") && test.probe.At > 0 {
				within(t, "asked", asked, at)
			}
		})
	}
}

// TestProbeAfterGivingUp: without an instant of its own the probe is the last that a peer does.
func TestProbeAfterGivingUp(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { c.upgrade(); c.fin(); holdOn(c) })
	const takes = 100 * time.Millisecond
	o.Probe, o.GivingUp = &Probe{}, func(context.Context, time.Time) { time.Sleep(takes) }
	r := play(t, o, Opened(Trigger{}, AwaitEnd{})...)
	looks := r.Looks()
	if states(looks) != "held, held" || looks[1].Asked < takes || r.Stopped < takes || r.Stopped > looks[1].Asked {
		t.Errorf("stopped %s:%s", r.Stopped, show(looks))
	}
}

// TestNoProbe: a peer that is not to ask sends nothing, and tells what it saw.
func TestNoProbe(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		c.fin()
		s, _ := c.drain()
		got <- s
	})
	r := play(t, o, Opened(Trigger{}, AwaitEnd{}, Finish{})...)
	if s := <-got; s != "" || states(r.Looks()) != "held" {
		t.Errorf("the server got %q:%s", s, show(r.Looks()))
	}
}

// TestProbeLeavesTheRecord: what the server does in answer to the last probe is no part of what
// the peer saw of the scenario.
func TestProbeLeavesTheRecord(t *testing.T) {
	t.Parallel()
	for _, letsGo := range []bool{true, false} {
		o := serve(t, func(c *conn) {
			c.upgrade()
			c.send(CloseFrame(1000, ""))
			c.fin()
			if !letsGo {
				holdOn(c)
				return
			}
			_ = c.tcp.Close()
		})
		o.Probe = &Probe{}
		r := Run(t.Context(), Opened(Trigger{}, AwaitEnd{}), o)
		if r.Ending != FIN || r.RST != nil || r.GaveUp != (!letsGo) || len(r.Closes) != 1 {
			t.Errorf("ending %s, RST %v, gave up %t, %d Close frames", r.Ending, r.RST, r.GaveUp, len(r.Closes))
		}
		if looks := r.Looks(); len(looks) == 0 || looks[len(looks)-1].Asked < r.Stopped {
			t.Errorf("%+v", looks)
		}
	}
}
