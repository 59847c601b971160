package peers

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// swarmOf is a swarm of n polite peers against a server that behaves so.
func swarmOf(t *testing.T, n int, behave func(*conn)) *Swarm {
	t.Helper()
	o := serve(t, behave)
	kinds := make([]Kind, n)
	for i := range kinds {
		kinds[i] = Polite
	}
	return &Swarm{Options: o, Server: netip.MustParseAddrPort(o.URL.Host), Peers: kinds}
}

// TestSwarmFlooded: servers that send without end, as fast as TCP takes it, let
// the swarm end on time, and others have their turn.
func TestSwarmFlooded(t *testing.T) {
	for _, test := range []struct {
		name string
		b    []byte
	}{
		{"pings", []byte(raw(Ping("")))},
		{"fragments", []byte(raw(Frame{Opcode: OpContinuation, Part: true}))},
		{"texts", []byte(raw(Filler(100 << 10)))},
	} {
		t.Run(test.name, func(t *testing.T) {
			flood := bytes.Repeat(test.b, 1+(64<<10)/len(test.b))
			connections := make(chan bool, 20)
			s := swarmOf(t, cap(connections), func(c *conn) {
				c.upgrade()
				if connections <- true; len(connections) == cap(connections) {
					c.send(CloseFrame(1001, "")) // of the one that does not flood
					c.fin()
					_, _ = c.drain()
					return
				}
				go func() { _, _ = io.Copy(io.Discard, c.in) }()
				for {
					if _, err := c.Write(flood); err != nil {
						return
					}
				}
			})
			s.AtOnce = 1
			s.Hold, s.Patience = 100*time.Millisecond, 500*time.Millisecond
			ended := make(chan []Member, 1)
			go func() {
				members, _ := s.Run(t.Context())
				ended <- members
			}()
			select {
			case members := <-ended:
				for i, m := range members {
					last := i == len(members)-1
					if m.Err != "" || last != (m.Code == 1001) || m.Trigger == 0 && !last ||
						m.StoppedAt > m.Trigger+s.Patience+time.Second {
						t.Errorf("%d: %+v", i, m)
					}
				}
			case <-time.After(15 * time.Second):
				t.Fatal("it does not end")
			}
		})
	}
}

// TestSwarmPartialWrites: where a server reads nothing, half a Pong may be sent;
// the frames behind it begin behind its other half.
func TestSwarmPartialWrites(t *testing.T) {
	ping := Ping(string(bytes.Repeat([]byte("p"), 125)))
	read := make(chan error, 1)
	s := swarmOf(t, 1, func(c *conn) {
		c.upgrade()
		_, _ = c.Write(bytes.Repeat([]byte(raw(ping)), 200_000))
		c.send(CloseFrame(1001, ""))
		for {
			f, err := ws.ReadFrame(c.in)
			if f = ws.UnmaskFrame(f); err == nil && f.Header.OpCode == ws.OpPong && bytes.Equal(f.Payload, ping.Payload) {
				continue
			}
			if err == nil && (f.Header.OpCode != ws.OpClose || !bytes.Equal(f.Payload, []byte{3, 233})) {
				t.Errorf("a frame of another kind: %+v", f)
			}
			read <- err
			return
		}
	})
	s.Hold, s.Patience = 30*time.Second, time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan []Member, 1)
	go func() {
		members, _ := s.Run(ctx)
		ended <- members
	}()
	select {
	case err := <-read:
		if err != nil {
			t.Errorf("before the Close frame: %v", err)
		}
		cancel()
		<-ended
	case members := <-ended:
		t.Errorf("the server did not read the Close frame: %+v", members)
	}
}

// TestSwarmWriteTakesTheReset: a reset is one, also where a write was told of it
// before a read.
func TestSwarmWriteTakesTheReset(t *testing.T) {
	s := swarmOf(t, 50, func(c *conn) {
		c.write(c.accept() + raw(Ping("a")))
		_ = c.tcp.SetLinger(0)
		_ = c.tcp.Close()
	})
	s.Hold = soon / 4 // so that each reset comes before the trigger
	members, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Err == "" && (!m.EndedEarly || m.RST == 0 || m.FIN != 0) {
			t.Errorf("%+v", m)
		}
	}
}

// Who was amid its handshake when the swarm was interrupted has not been opened.
func TestSwarmInterruptedWhileOpening(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := swarmOf(t, 2, func(c *conn) { _, _ = c.drain() }) // it answers nothing
	s.Joined = func(netip.AddrPort) { cancel() }
	members, err := s.Run(ctx)
	if err == nil {
		t.Error("it was not interrupted")
	}
	for _, m := range members {
		if m.Peer.IsValid() || m.Err != "" {
			t.Errorf("%+v counts as opened", m)
		}
	}
}

// TestSwarmUnseen: releases of which nobody will tell are not waited for.
func TestSwarmUnseen(t *testing.T) {
	s := swarmOf(t, 2, func(c *conn) {
		c.upgrade()
		_, _ = c.in.Peek(1) // its Close frame
		c.send(CloseFrame(1000, ""))
	})
	s.Joined = func(netip.AddrPort) {}
	s.Started = func(_ func(netip.AddrPort, time.Time, time.Duration), lost func()) {
		time.AfterFunc(50*time.Millisecond, lost)
	}
	members, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if how, _ := m.Ending(); how != FIN || m.StoppedAt > s.Patience/2 {
			t.Errorf("%+v", m)
		}
	}
}

// TestSwarmLastLook: who observes the sockets is asked once more when the patience is over, and
// what that tells counts.
func TestSwarmLastLook(t *testing.T) {
	s := swarmOf(t, 3, func(c *conn) { c.upgrade(); _, _ = c.drain() })
	s.Patience = 100 * time.Millisecond
	var tell func(netip.AddrPort, time.Time, time.Duration)
	var joined []netip.AddrPort
	s.Started = func(released func(netip.AddrPort, time.Time, time.Duration), _ func()) { tell = released }
	s.Joined = func(peer netip.AddrPort) { joined = append(joined, peer) }
	s.LastLook = func() { tell(joined[0], time.Now(), time.Second) }
	members, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if seen := m.Released > 0 && m.Bound == time.Second; seen != (m.Peer == joined[0]) {
			t.Errorf("%+v", m)
		}
	}
}
