package peers

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needsDark(t *testing.T) {
	t.Helper()
	if err := Dark(); err != nil {
		t.Skip("needs IP_MINTTL: ", err)
	}
}

// TestProbeFromTheDark: a peer that vanished returns, and learns by the byte whether the server's
// process still has its socket, also where it has sent something in between.
func TestProbeFromTheDark(t *testing.T) {
	needsDark(t)
	if err := RTOMax(); err != nil {
		t.Skip("needs a bound of the retransmission timeout: ", err)
	}
	t.Parallel()
	const at = 3700 * time.Millisecond // without a bound the last retransmission was at 3.3 s, and the next comes at 6.6 s
	olderKernel := do(func(_ context.Context, p *Peer) error {
		p.rtoMax = errors.ErrUnsupported
		const usual = 120_000 // milliseconds
		return p.wire.set(func(fd uintptr) error {
			return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, usual)
		})
	})
	tests := []struct {
		name   string
		closes bool
		sends  Script
		want   LookState
		within time.Duration
	}{
		{"held", false, nil, Held, answerBound},
		{"let go", true, nil, LetGo, answerBound},
		{"held, with data sent in the dark", false, Script{Send{CloseFrame(1000, "")}}, Held, answerBound},
		{"let go, with data sent in the dark", true, Script{Send{CloseFrame(1000, "")}}, LetGo, answerBound},
		{"held, on a kernel without a bound", false, Script{olderKernel, Send{CloseFrame(1000, "")}}, Held, answerBound + at},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dark := make(chan struct{})
			o := serve(t, func(c *conn) {
				c.upgrade()
				<-dark
				if test.closes {
					for range test.sends {
						_, _ = c.in.ReadByte() // so that nothing unread makes close(2) send RST
						_, _ = c.in.Discard(c.in.Buffered())
					}
					_ = c.tcp.Close()
				}
				holdOn(c)
			})
			o.Probe, o.Patience = &Probe{At: at}, 2*never
			script := append(Opened(AwaitAcked{}, Trigger{}, GoDark{}, tell(dark)), test.sends...)
			r := play(t, o, append(script, HoldOpen{})...)
			looks := r.Looks()
			if len(looks) == 0 || looks[len(looks)-1].State != test.want {
				t.Fatalf("want %s:%s", test.want, show(looks))
			}
			l := looks[len(looks)-1]
			within(t, "asked", l.Asked, at)
			if took := l.Answered - l.Asked; took > test.within {
				t.Errorf("the answer took %s", took)
			}
			if r.Dark != nil {
				t.Error("the peer has not come back")
			}
		})
	}
}

// TestProbeHalfClosed: a peer that has sent FIN sees the server's socket by keepalive probes, and
// that the process let go of it by FIN or RST.
func TestProbeHalfClosed(t *testing.T) {
	t.Parallel()
	const closesAt, at = 300 * time.Millisecond, time.Second
	later := func(end func(*conn)) func(*conn) {
		return func(c *conn) {
			_, _ = c.drain()
			time.Sleep(closesAt)
			end(c)
			holdOn(c)
		}
	}
	tests := []struct {
		name   string
		server func(*conn)
		end    Step
		probe  Probe
		want   string
	}{
		{"held", holdOn, HalfClose{}, Probe{At: at}, "held"},
		{"closed", later(func(c *conn) { _ = c.tcp.Close() }), HalfClose{}, Probe{At: at}, "held, let go"},
		{"reset", later((*conn).rst), HalfClose{}, Probe{At: at}, "held, let go"},
		{"a closed socket, held", holdOn, CloseSocket{}, Probe{At: at, BeforeFIN: true}, "held"},
		{"a closed socket, closed", later(func(c *conn) { _ = c.tcp.Close() }), CloseSocket{}, Probe{At: at, BeforeFIN: true}, "held, let go"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(); test.server(c) })
			o.Probe = &test.probe
			r := play(t, o, Opened(AwaitAcked{}, Trigger{}, test.end, HoldOpen{})...)
			looks := r.Looks()
			if got := states(looks); got != test.want {
				t.Fatalf("%s, want %s:%s", got, test.want, show(looks))
			}
			switch l := looks[len(looks)-1]; l.State {
			case Held:
				within(t, "asked", l.Asked, at-soon/4)
			case LetGo:
				within(t, "let go", l.Answered, closesAt)
				if held := looks[0].Asked; held > l.Answered || l.Answered-held > soon {
					t.Errorf("held at %s, let go at %s", held, l.Answered)
				}
			}
		})
	}
}

// TestCloseVisibly: where the peer only seems to have closed its socket, what the server sends is
// answered by RST all the same.
func TestCloseVisibly(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		_, _ = c.drain() // the peer's FIN
		c.send(Text("anybody there?"))
		c.await(t, "reset", func(i unix.TCPInfo) bool { return i.State == tcpClose })
		_, err := c.tcp.Write([]byte{0})
		ended <- err
	})
	o.Probe = &Probe{BeforeFIN: true}
	r := play(t, o, Opened(AwaitAcked{}, Trigger{}, CloseSocket{}, HoldOpen{})...)
	if err := <-ended; !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server was told %v", err)
	}
	if r.PeerRST == nil || r.PeerFIN == nil {
		t.Errorf("FIN %v, RST %v", r.PeerFIN, r.PeerRST)
	}
}

// TestProbeNotReading: the server's FIN stands behind data that the peer does not take; RST and ACK
// tell all the same.
func TestProbeNotReading(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]LookState{"held": Held, "let go": LetGo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopped, full := make(chan struct{}), make(chan struct{})
			o := serve(t, func(c *conn) {
				c.upgrade()
				<-stopped
				_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				_, _ = c.Write(bytes.Repeat([]byte("\x8a\x00"), 4<<20))
				if want == LetGo {
					_ = c.tcp.Close()
				} else {
					c.fin()
				}
				close(full)
				holdOn(c)
			})
			o.Probe = &Probe{At: 300 * time.Millisecond}
			script := Script{Connect{ReceiveBuffer: 4 << 10}, SendRequest{}, AwaitUpgrade{}, StopReading{}, tell(stopped), wait(full),
				Trigger{}, HoldOpen{}}
			r := play(t, o, script...)
			if looks := r.Looks(); len(looks) != 1 || looks[0].State != want || r.FIN != nil {
				t.Errorf("want %s, FIN %v:%s", want, r.FIN, show(looks))
			}
		})
	}
}

// TestProbeWithoutAnswer: silence, and what cannot be asked, is neither held nor let go.
func TestProbeWithoutAnswer(t *testing.T) {
	needsDark(t)
	t.Parallel()
	deaf := do(func(_ context.Context, p *Peer) error { return p.wire.set(goDark) }) // as behind a firewall that drops all answers
	fill := SendUntilBlocked{Frame: Filler(64 << 10), Max: 64 << 20, Stall: 100 * time.Millisecond}
	tests := []struct {
		name   string
		script Script
		state  LookState
		how    string
		took   time.Duration
	}{
		{"no answer", Script{deaf, HoldOpen{}}, Unknown, "no answer to one byte within ", answerBound},
		{"no answer to keepalive", Script{HalfClose{}, AwaitAcked{}, deaf, HoldOpen{}}, Unknown,
			"no answer to keepalive probes within ", keepaliveBound},
		{"the server takes nothing, and answers", Script{fill, HoldOpen{}}, Held, "a window probe acknowledged", answerBound},
		{"the server takes nothing", Script{fill, deaf, HoldOpen{}}, Unknown, whyNoData, answerBound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(); holdOn(c) })
			o.Probe = &Probe{At: 500 * time.Millisecond}
			r := play(t, o, Opened(append(Script{AwaitAcked{}, Trigger{}}, test.script...)...)...)
			looks := r.Looks()
			if len(looks) != 1 || looks[0].State != test.state || !strings.HasPrefix(looks[0].How, test.how) {
				t.Errorf("want %s:%s", test.how, show(looks))
				dump(t, r)
			}
			within(t, "given up", r.Stopped, o.Probe.At+test.took)
		})
	}
}

// TestLooksOfATalker: a peer that sends on after the server's FIN is told by its own data.
func TestLooksOfATalker(t *testing.T) {
	t.Parallel()
	const every, lets = 50 * time.Millisecond, 500 * time.Millisecond
	o := serve(t, func(c *conn) {
		c.upgrade()
		c.fin()
		time.AfterFunc(lets, func() { _ = c.tcp.Close() })
		_, _ = c.drain()
	})
	r := play(t, o, Opened(AwaitEnd{}, Trigger{}, KeepSending{Text("on and on"), every})...)
	looks := r.Looks()
	if got := states(looks); got != "held, held, let go" {
		t.Fatalf("%s:%s", got, show(looks))
	}
	held, letGo := looks[1].Asked, looks[2].Answered
	within(t, "let go", letGo, lets-every)
	if held > letGo || letGo-held > 2*every+soon/4 {
		t.Errorf("held at %s, let go at %s", held, letGo)
	}
}

// TestLooksOfAReturn: a FIN that comes when the peer is back may have been sent while it was dark.
func TestLooksOfAReturn(t *testing.T) {
	needsDark(t)
	t.Parallel()
	const lets, back = 100 * time.Millisecond, time.Second
	dark := make(chan struct{})
	o := serve(t, func(c *conn) {
		c.upgrade()
		<-dark
		time.Sleep(lets)
	})
	r := play(t, o, Opened(AwaitAcked{}, Trigger{}, GoDark{}, tell(dark), Pause{back}, ComeBack{}, AwaitEnd{})...)
	looks := r.Looks()
	if len(looks) != 1 || looks[0].State != Held || looks[0].Asked > lets || *r.FIN < back {
		t.Errorf("FIN at %v:%s", r.FIN, show(looks))
	}
}

// TestLooksOfASilentClose: a server that closes with unread data resets; until then it held the socket.
func TestLooksOfASilentClose(t *testing.T) {
	t.Parallel()
	const lets = 300 * time.Millisecond
	for name, fin := range map[string]bool{"open": false, "after FIN": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			triggered := make(chan struct{})
			o := serve(t, func(c *conn) {
				c.upgrade()
				<-triggered
				if fin {
					c.fin()
				}
				time.Sleep(lets)
				c.rst()
			})
			r := play(t, o, Opened(AwaitAcked{}, Trigger{}, tell(triggered), until(func(r *Record) bool { return r.RST != nil }))...)
			looks := r.Looks()
			if n := len(looks); n < 2 || looks[n-1].State != LetGo || looks[n-2].State != Held {
				t.Fatalf("%s", show(looks))
			}
			letGo, held := looks[len(looks)-1].Answered, looks[len(looks)-2].Asked
			within(t, "let go", letGo, lets)
			if bound := letGo - held; bound <= 0 || bound > soon {
				t.Errorf("held at %s, let go at %s", held, letGo)
			}
		})
	}
}

// TestPollAck is how systems without an event for an ACK learn of it.
func TestPollAck(t *testing.T) {
	needsDark(t)
	t.Parallel()
	for name, dark := range map[string]bool{"acknowledged": false, "in the dark": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(); holdOn(c) })
			script := Opened(AwaitAcked{}, Trigger{})
			if dark {
				script = append(script, GoDark{})
			}
			r := play(t, o, append(script, Send{Text("a")}, do(func(_ context.Context, p *Peer) error {
				limit := time.Now().Add(soon)
				if acked := p.wire.pollAck(limit, func() bool { return false }); acked == dark || dark == time.Now().Before(limit) {
					t.Errorf("acknowledged %t", acked)
				}
				return nil
			}))...)
			if n := count(r, Sent, "text"); n != 1 {
				t.Errorf("%d texts sent", n)
			}
		})
	}
}
