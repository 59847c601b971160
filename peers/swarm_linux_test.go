package peers

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"testing"
)

// Who was amid its handshake when the swarm was interrupted has not been opened.
func TestSwarmInterruptedWhileOpening(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &Swarm{
		Options: Options{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}},
		Server:  netip.MustParseAddrPort(l.Addr().String()),
		Peers:   []Kind{Polite, Polite},
		Joined:  func(netip.AddrPort) { cancel() },
	}
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
