package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// info is TCP_INFO of the server's socket: the witness of what the peer's
// kernel did. It can be read after an RST too.
func (c *conn) info() (info unix.TCPInfo) {
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return info
	}
	_ = raw.Control(func(fd uintptr) {
		if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			info = *i
		}
	})
	return info
}

// await waits until the server's socket is as the condition says.
func (c *conn) await(t *testing.T, what string, cond func(unix.TCPInfo) bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); !cond(c.info()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("server socket: not %s: %+v", what, c.info())
			return
		}
	}
}

func acked(i unix.TCPInfo) bool         { return i.Unacked == 0 }
func retransmitted(i unix.TCPInfo) bool { return i.Total_retrans > 0 && i.Unacked > 0 }

// onBoth runs the test over IPv4 and IPv6.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	for name, address := range map[string]string{"v4": "127.0.0.1:0", "v6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, address) })
	}
}

// TestVanish: nothing that the server sends is acknowledged; it retransmits.
func TestVanish(t *testing.T) {
	if err := Dark(); err != nil {
		t.Skip("needs IP_MINTTL: ", err)
	}
	onBoth(t, func(t *testing.T, address string) {
		dark, tried := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1)
		o := listen(t, address, nil, func(c *conn) {
			c.upgrade()
			c.await(t, "acknowledged", acked)
			<-dark
			before := c.info().Segs_in
			c.send(Text("into the dark"))
			c.fin()
			c.await(t, "retransmitting", retransmitted)
			if n := c.info().Segs_in - before; n != 0 {
				t.Errorf("%d segments came from the dark", n)
			}
			close(tried)
			_, err := c.drain()
			ended <- err
		})
		r := play(t, o, Opened(Trigger{}, GoDark{}, tell(dark), wait(tried))...)
		if r.Ending != Unseen || r.Dark == nil || r.Dropped < 2 || len(r.Messages) != 0 || r.FIN != nil {
			t.Errorf("%s, dark %v, %d dropped, %v", r.Ending, r.Dark, r.Dropped, r.Messages)
		}
		if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the dark peer ended by %v, not an RST", err)
		}
	})
}

// TestVanishSends: what the dark peer sends still arrives.
func TestVanishSends(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		b := make([]byte, 7)
		_, _ = io.ReadFull(c.in, b)
		got <- string(b[:1])
		_, _ = c.drain()
	})
	arrived := do(func(context.Context, *Peer) error {
		if s := <-got; s != "\x81" {
			t.Errorf("the server got %q", s)
		}
		return nil
	})
	if r := play(t, o, Opened(AwaitAcked{}, Trigger{}, GoDark{}, Send{Text("a")}, arrived)...); r.Ending != Unseen {
		t.Errorf("ending %s", r.Ending)
	}
}

// TestReturn: the server's retransmission gets through.
func TestReturn(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		dark, tried := make(chan struct{}), make(chan struct{})
		o := listen(t, address, nil, func(c *conn) {
			c.upgrade()
			c.await(t, "acknowledged", acked)
			<-dark
			c.send(Text("late"))
			c.await(t, "retransmitting", retransmitted)
			close(tried)
			_, _ = c.drain()
		})
		r := play(t, o, Opened(Trigger{}, GoDark{}, tell(dark), wait(tried), ComeBack{}, AwaitText{"late"}, Finish{})...)
		if r.Ending != FIN || r.Dark != nil || r.Dropped < 2 {
			t.Errorf("%s, dark %v, %d dropped", r.Ending, r.Dark, r.Dropped)
		}
	})
}

// TestDropFIN: the server's data is acknowledged, its FIN never.
func TestDropFIN(t *testing.T) {
	needsNetAdmin(t)
	onBoth(t, func(t *testing.T, address string) {
		dropping, tried := make(chan struct{}), make(chan struct{})
		o := listen(t, address, nil, func(c *conn) {
			c.upgrade()
			<-dropping
			c.send(Text("data"))
			c.await(t, "acknowledged", acked)
			c.fin()
			c.await(t, "retransmitting its FIN", func(i unix.TCPInfo) bool { return retransmitted(i) && i.State == unix.BPF_TCP_FIN_WAIT1 })
			close(tried)
			_, _ = c.drain()
		})
		r := play(t, o, Opened(DropFIN{}, Trigger{}, tell(dropping), wait(tried))...)
		if len(r.Messages) != 1 || r.Ending != Open || r.FIN != nil {
			t.Errorf("%d messages, %s, FIN %v", len(r.Messages), r.Ending, r.FIN)
		}
	})
}

// TestForget: no packet leaves; the server's next segment is answered by RST.
func TestForget(t *testing.T) {
	needsNetAdmin(t)
	onBoth(t, func(t *testing.T, address string) {
		forgotten, ready, checked := make(chan struct{}), make(chan struct{}), make(chan struct{})
		o := listen(t, address, nil, func(c *conn) {
			defer close(checked)
			c.upgrade()
			c.await(t, "acknowledged", acked)
			before := c.info().Segs_in
			close(ready)
			<-forgotten
			time.Sleep(50 * time.Millisecond) // in which nothing comes
			if n := c.info().Segs_in - before; n != 0 {
				t.Errorf("%d segments came from a peer that forgot the connection", n)
			}
			again := net.Dialer{LocalAddr: c.RemoteAddr()}
			if other, err := again.Dial("tcp", c.LocalAddr().String()); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("its port can be had: %v, %v", other, err)
			}
			c.send(Text("a"))
			if _, err := c.drain(); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the server's segment was answered by %v, not an RST", err)
			}
			if n := c.info().Segs_in - before; n != 1 {
				t.Errorf("%d segments, want the RST alone", n)
			}
		})
		script := Opened(AwaitAcked{}, Trigger{}, wait(ready), Forget{}, tell(forgotten), wait(checked))
		script[0] = Connect{KeepPort: true}
		r := play(t, o, script...)
		if r.Ending != Unseen || r.PeerFIN != nil || r.PeerRST != nil {
			t.Errorf("%s, FIN %v, RST %v", r.Ending, r.PeerFIN, r.PeerRST)
		}
	})
}

// TestSegmentsOfAnEnd counts what the server's kernel got, and how the server
// was told.
func TestSegmentsOfAnEnd(t *testing.T) {
	tests := []struct {
		step     Step
		err      error
		segments uint32
	}{
		{Reset{}, syscall.ECONNRESET, 1},
		{CloseSocket{}, nil, 1},
		{HalfClose{}, nil, 1},
	}
	for _, test := range tests {
		t.Run(test.step.String(), func(t *testing.T) {
			t.Parallel()
			ready, ended := make(chan struct{}), make(chan struct{})
			o := serve(t, func(c *conn) {
				defer close(ended)
				c.upgrade()
				c.await(t, "acknowledged", acked)
				before := c.info().Segs_in
				close(ready)
				if _, err := c.drain(); !errors.Is(err, test.err) {
					t.Errorf("the server was told %v", err)
				}
				time.Sleep(20 * time.Millisecond) // in which nothing more comes
				if n := c.info().Segs_in - before; n != test.segments {
					t.Errorf("%d segments, want %d", n, test.segments)
				}
				if test.err == nil { // FIN: what the server sends now tells whether anybody reads
					c.send(Text("after the FIN"))
				}
			})
			r := play(t, o, Opened(Trigger{}, wait(ready), test.step, wait(ended), HoldOpen{})...)
			if _, reads := test.step.(HalfClose); (len(r.Messages) == 1) != reads || (r.Ending == FIN) != reads {
				t.Errorf("%d messages, %s", len(r.Messages), r.Ending)
			}
		})
	}
}

// TestBroken: the peer's own kernel gives up, which is no end by the server.
func TestBroken(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped reading %t", stopped), func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
			impatient := do(func(_ context.Context, p *Peer) error {
				return p.wire.set(func(fd uintptr) error { // milliseconds (tcp(7))
					return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 50)
				})
			})
			script := Opened(AwaitAcked{}, Trigger{}, impatient)
			if stopped {
				script = append(script, StopReading{})
			}
			r := play(t, o, append(script, GoDark{}, Send{Text("lost")}, AwaitEnd{})...)
			if r.Ending != Broken || r.FIN != nil || r.RST != nil || count(r, Received, "connection broken: connection timed out") != 1 {
				t.Errorf("%s, FIN %v, RST %v", r.Ending, r.FIN, r.RST)
				dump(t, r)
			}
		})
	}
}

// TestReceiveBuffer: a peer that stops reading takes little.
func TestReceiveBuffer(t *testing.T) {
	t.Parallel()
	stopped, full := make(chan struct{}), make(chan struct{})
	o := serve(t, func(c *conn) {
		c.upgrade()
		<-stopped
		_ = c.tcp.SetWriteBuffer(4 << 10)
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(bytes.Repeat([]byte("\x8a\x00"), 4<<20))
		if err == nil || n > 256<<10 {
			t.Errorf("the server could write %d bytes: %v", n, err)
		}
		close(full)
		_, _ = c.drain()
	})
	stop := do(func(context.Context, *Peer) error { close(stopped); return nil })
	script := Script{Connect{ReceiveBuffer: 4 << 10}, SendRequest{}, AwaitUpgrade{}, StopReading{}, stop, Trigger{}, wait(full)}
	if r := play(t, o, script...); r.BytesRead > 64<<10 {
		t.Errorf("%d bytes were read", r.BytesRead)
	}
}

func needsNetAdmin(t *testing.T) {
	t.Helper()
	if err := NetAdmin(); err != nil {
		t.Skip("needs CAP_NET_ADMIN: ", err)
	}
}

// TestCapabilityErrors: what this host cannot do is told with what was tried.
func TestCapabilityErrors(t *testing.T) {
	const noSuchFile = uintptr(1 << 30)
	for name, try := range map[string]func(uintptr) error{
		"getsockopt SO_DOMAIN": goDark, "setsockopt SO_ATTACH_FILTER": dropFIN, "setsockopt TCP_REPAIR": forget,
		"getsockopt SO_MEMINFO": func(fd uintptr) error { _, err := drops(fd); return err },
		"ioctl SIOCOUTQ":        func(fd uintptr) error { _, err := unacked(fd); return err },
	} {
		failed := new(os.SyscallError)
		if err := try(noSuchFile); !errors.As(err, &failed) || failed.Syscall != name || !errors.Is(err, syscall.EBADF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
