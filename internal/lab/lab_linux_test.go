package lab

import (
	"net"
	"net/netip"
	"testing"
)

// What listens in the server's namespace is reached from the client's over both families,
// and at 127.0.0.1 where that is shared.
func TestVeth(t *testing.T) {
	l := New(t, Options{Loopback: true})
	for _, address := range []netip.Addr{ServerIP4, ServerIP6, netip.MustParseAddr("127.0.0.1")} {
		var server net.Listener
		var peer net.Conn
		err := l.Server.Do(func() (err error) {
			server, err = net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = l.Client.Do(func() (err error) {
			peer, err = net.Dial("tcp", server.Addr().String())
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", address, err)
		} else {
			t.Log(peer.LocalAddr(), peer.RemoteAddr())
			peer.Close()
		}
		server.Close()
	}
}
