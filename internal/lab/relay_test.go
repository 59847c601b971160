package lab

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// relayed returns a relay, and the two ends of a connection through it.
func relayed(t *testing.T) (r *Relay, peer, server *net.TCPConn) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		listeners[i] = l
	}
	r = StartRelay(listeners[0], func() (net.Conn, error) {
		return net.DialTimeout("tcp", listeners[1].Addr().String(), 10*time.Second)
	})
	t.Cleanup(func() { _ = r.Close() })
	p, err := net.Dial("tcp", listeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := listeners[1].Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.Close(), s.Close() })
	return r, p.(*net.TCPConn), s.(*net.TCPConn)
}

// The relay passes bytes, FIN in each direction, and RST. Its own end ends both connections.
func TestRelay(t *testing.T) {
	limit := time.Now().Add(20 * time.Second)
	t.Run("FIN", func(t *testing.T) {
		_, peer, server := relayed(t)
		for _, way := range [][2]*net.TCPConn{{server, peer}, {peer, server}} {
			if _, err := way[0].Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := way[0].CloseWrite(); err != nil {
				t.Fatal(err)
			}
			_ = way[1].SetReadDeadline(limit)
			if got, err := io.ReadAll(way[1]); err != nil || string(got) != "last words" {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
	for _, name := range []string{"RST of the server", "RST of the peer"} {
		t.Run(name, func(t *testing.T) {
			_, reset, other := relayed(t)
			if name == "RST of the server" {
				reset, other = other, reset
			}
			_ = reset.SetLinger(0)
			_ = reset.Close()
			_ = other.SetReadDeadline(limit)
			if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other end saw %v", err)
			}
		})
	}
	t.Run("Close", func(t *testing.T) {
		r, peer, server := relayed(t)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for _, end := range []*net.TCPConn{peer, server} {
			_ = end.SetReadDeadline(limit)
			var timeout net.Error
			if _, err := end.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("the connection goes on: %v", err)
			}
		}
	})
}
