package lab

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

const (
	short = 300 * time.Millisecond // for what must not happen
	long  = 20 * time.Second       // for what must
)

// connect connects from the client's namespace to the server's, and returns both ends.
func connect(t *testing.T, l *Lab, address netip.Addr) (client, server net.Conn) {
	t.Helper()
	listener, err := l.Server.Listen(netip.AddrPortFrom(address, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = l.Client.Dial(listener.Addr().String(), long); err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

func portOf(c net.Conn) uint16 { return netip.MustParseAddrPort(c.LocalAddr().String()).Port() }

// exchange sends bytes both ways, in segments of all lengths.
func exchange(t *testing.T, one, other net.Conn) {
	t.Helper()
	sent := bytes.Repeat([]byte("finwait "), 20_000)
	for _, way := range [][2]net.Conn{{one, other}, {other, one}} {
		failed := make(chan error, 1)
		_ = way[0].SetWriteDeadline(time.Now().Add(long))
		go func() {
			_, err := way[0].Write(sent)
			failed <- err
		}()
		got := make([]byte, len(sent))
		_ = way[1].SetReadDeadline(time.Now().Add(long))
		if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("from %s to %s: %v, the same bytes: %t", way[0].LocalAddr(), way[1].LocalAddr(), err, bytes.Equal(got, sent))
		}
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// silent tells whether nothing comes for a while, not even an end.
func silent(c net.Conn, limit time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(limit))
	n, err := c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return errors.Join(errors.New("not silent"), err, errorIf(n > 0, "a byte came"))
}

func errorIf(is bool, text string) error {
	if is {
		return errors.New(text)
	}
	return nil
}

// A handshake takes one way there and one way back.
func TestDelay(t *testing.T) {
	l := New(t, Options{Wire: true})
	for _, way := range []struct{ there, back time.Duration }{{40, 0}, {0, 40}, {25, 25}, {0, 0}} {
		l.ToServer.Set(Conditions{Delay: way.there * time.Millisecond})
		l.ToClient.Set(Conditions{Delay: way.back * time.Millisecond})
		listener, err := l.Server.Listen(netip.AddrPortFrom(ServerIP4, 0).String())
		if err != nil {
			t.Fatal(err)
		}
		fastest := long
		for range 5 { // a busy machine makes some slower
			start := time.Now()
			client, err := l.Client.Dial(listener.Addr().String(), long)
			if err != nil {
				t.Fatal(err)
			}
			fastest = min(fastest, time.Since(start))
			_ = client.Close()
		}
		_ = listener.Close()
		want := (way.there + way.back) * time.Millisecond
		if fastest < want || fastest > want+20*time.Millisecond {
			t.Errorf("%d ms there, %d ms back: the handshake took %s", way.there, way.back, fastest)
		}
		t.Logf("%d ms there, %d ms back: %s", way.there, way.back, fastest)
	}
}

// A share of the packets is lost, the same ones with the same seed, and TCP survives it.
func TestLoss(t *testing.T) {
	const packets, share = 2000, 0.2
	received := func(seed uint64) (out []byte) {
		l := New(t, Options{Wire: true, Seed: seed})
		client, server := datagrams(t, l)
		l.ToServer.Set(Conditions{Loss: share})
		out = make([]byte, packets)
		for i := range packets {
			if _, err := client.Write([]byte{byte(i), byte(i >> 8)}); err != nil {
				t.Fatal(err)
			}
			// Each is followed to its end, so that no queue overflows.
			if counts := settled(l.ToServer, i+1); counts.Lost+counts.Passed != i+1 {
				t.Fatalf("%d packets sent, counted %+v", i+1, counts)
			}
		}
		counts := l.ToServer.Counts()
		if lost := float64(counts.Lost) / packets; lost < share-0.04 || lost > share+0.04 { // 4.5 standard deviations
			t.Errorf("%d of %d packets were lost, a share of %.3f", counts.Lost, packets, lost)
		}
		for range counts.Passed {
			var b [2]byte
			_ = server.SetReadDeadline(time.Now().Add(long))
			if _, err := io.ReadFull(server, b[:]); err != nil {
				t.Fatalf("a packet that was counted as passed did not come: %v", err)
			}
			out[int(b[0])|int(b[1])<<8] = 1
		}
		if err := silent(server, short); err != nil {
			t.Error("a packet that was counted as lost:", err)
		}
		l.ToServer.Set(Conditions{Loss: 0.05})
		l.ToClient.Set(Conditions{Loss: 0.05})
		one, other := connect(t, l, ServerIP4)
		exchange(t, one, other)
		return out
	}
	first := received(1)
	if !bytes.Equal(first, received(1)) {
		t.Error("other packets were lost with the same seed")
	}
	if bytes.Equal(first, received(2)) {
		t.Error("the same packets were lost with another seed")
	}
}

// settled waits until the path has counted so many packets, and returns the counts.
func settled(p *Path, n int) (c Counts) {
	for limit := time.Now().Add(long); time.Now().Before(limit); time.Sleep(10 * time.Microsecond) {
		if c = p.Counts(); c.Lost+c.Passed >= n {
			break
		}
	}
	return c
}

// datagrams are two ends of UDP.
func datagrams(t *testing.T, l *Lab) (client, server net.Conn) {
	t.Helper()
	addresses := [2]*net.UDPAddr{
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(ClientIP4, 7)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(ServerIP4, 7)),
	}
	for i, n := range []*Namespace{l.Client, l.Server} {
		err := n.Do(func() error {
			c, err := net.DialUDP("udp", addresses[i], addresses[1-i])
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = c.Close() })
			if i == 0 {
				client = c
			} else {
				server = c
			}
			return c.SetReadBuffer(4 << 20)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}

// A firewall that drops RST makes a closed port silent, and nothing else.
func TestDropRST(t *testing.T) {
	l := New(t, Options{Wire: true})
	for _, address := range []netip.Addr{ServerIP4, ServerIP6} {
		closed := netip.AddrPortFrom(address, 9).String()
		l.ToClient.Set(Conditions{})
		if _, err := l.Client.Dial(closed, long); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s without a firewall: %v", address, err)
		}
		l.ToClient.Set(Conditions{DropRST: true})
		before := l.ToClient.Counts().RST
		var timeout net.Error
		if _, err := l.Client.Dial(closed, short); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s behind a firewall: %v", address, err)
		}
		if n := l.ToClient.Counts().RST - before; n != 1 {
			t.Errorf("%s: %d RST were dropped", address, n)
		}
		client, server := connect(t, l, address)
		exchange(t, client, server)
	}
}

// The server sees the NAT's address. When no packet has come for its idle time, the NAT
// drops what both sides send, and a new connection passes.
func TestNAT(t *testing.T) {
	const idle = 400 * time.Millisecond
	l := New(t, Options{NAT: true, NATIdle: idle})
	client, server := connect(t, l, ServerIP4)
	if got := netip.MustParseAddrPort(server.RemoteAddr().String()).Addr(); got != NATIP4 {
		t.Errorf("the server sees %s", got)
	}
	for range 3 { // each exchange prolongs the mapping
		exchange(t, client, server)
		if err := silent(client, idle/2); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.ToServer.Counts().Forgotten + l.ToClient.Counts().Forgotten; n != 0 {
		t.Errorf("%d packets were dropped before the idle time", n)
	}
	if err := silent(client, idle+idle/4); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		from, to net.Conn
		path     *Path
	}{{client, server, l.ToServer}, {server, client, l.ToClient}} {
		if _, err := way.from.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := silent(way.to, short); err != nil {
			t.Error(err)
		}
		if n := way.path.Counts().Forgotten; n == 0 {
			t.Error("no packet was dropped")
		}
	}
	again, other := connect(t, l, ServerIP4)
	exchange(t, again, other)
}
