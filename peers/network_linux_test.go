package peers

import (
	"net"
	"testing"
	"time"

	"github.com/finwait/finwait/internal/lab"
)

// TestProbeAcrossNetworks: a probe tells the same across a network as beside the server. Where
// the network hides the answer it is not known, and where a proxy ends TCP it is the proxy's.
func TestProbeAcrossNetworks(t *testing.T) {
	t.Parallel()
	const at, idle = 600 * time.Millisecond, 200 * time.Millisecond
	holds := func(c *conn) { c.fin(); holdOn(c) }
	closes := func(c *conn) { _ = c.tcp.Close() }
	networks := []struct {
		name         string
		options      lab.Options
		there, back  lab.Conditions
		relay        bool
		held, letGo  LookState // what the probe finds of a server that holds its socket, and of one that let go
		dark         LookState // what it finds after darkness of one that holds its socket
		darkAndLetGo LookState
	}{
		{name: "veth", held: Held, letGo: LetGo, dark: Held, darkAndLetGo: LetGo},
		{name: "delay", options: lab.Options{Wire: true}, there: lab.Conditions{Delay: 60 * time.Millisecond},
			back: lab.Conditions{Delay: 60 * time.Millisecond}, held: Held, letGo: LetGo, dark: Held, darkAndLetGo: LetGo},
		{name: "loss", options: lab.Options{Wire: true, Seed: 1}, there: lab.Conditions{Loss: 0.05, Delay: 5 * time.Millisecond},
			back: lab.Conditions{Loss: 0.05, Delay: 5 * time.Millisecond}, held: Held, letGo: LetGo, dark: Held, darkAndLetGo: LetGo},
		{name: "firewall", options: lab.Options{Wire: true}, back: lab.Conditions{DropRST: true},
			held: Held, letGo: Unknown, dark: Held, darkAndLetGo: Unknown},
		{name: "NAT", options: lab.Options{NAT: true}, held: Held, letGo: LetGo, dark: Held, darkAndLetGo: LetGo},
		{name: "NAT that forgot", options: lab.Options{NAT: true, NATIdle: idle},
			held: Unknown, letGo: Unknown, dark: Unknown, darkAndLetGo: Unknown},
		{name: "relay", relay: true, held: Held, letGo: Held, dark: Held, darkAndLetGo: Held},
	}
	for _, n := range networks {
		for _, test := range []struct {
			name   string
			server func(*conn)
			script Script
			want   LookState
		}{
			{"held", holds, Script{HoldOpen{}}, n.held},
			{"let go", closes, Script{HoldOpen{}}, n.letGo},
			{"dark, held", holds, Script{AwaitAcked{}, GoDark{}, HoldOpen{}}, n.dark},
			{"dark, let go", closes, Script{AwaitAcked{}, GoDark{}, HoldOpen{}}, n.darkAndLetGo},
		} {
			t.Run(n.name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t, n.options)
				var o Options
				err := l.Server.Do(func() error {
					o = listen(t, lab.ServerIP4.String()+":0", nil, func(c *conn) {
						c.upgrade()
						_, _ = c.in.ReadByte() // the peer has triggered
						test.server(c)
					})
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if n.relay {
					o.URL.Host = relay(t, l, o.URL.Host)
				}
				if l.ToServer != nil {
					l.ToServer.Set(n.there)
					l.ToClient.Set(n.back)
				}
				o.Probe = &Probe{At: at}
				script := Opened(append(Script{Trigger{}, Send{Text("close")}}, test.script...)...)
				var r *Record
				if err := l.Client.Do(func() error { r = Run(t.Context(), script, o); return nil }); err != nil {
					t.Fatal(err)
				}
				looks := r.Looks()
				if len(looks) == 0 || looks[len(looks)-1].State != test.want {
					t.Errorf("error %q, looks, of which the last is to be %s:%s", r.Err, test.want, show(looks))
					dump(t, r)
				}
			})
		}
	}
}

// relay puts a proxy that ends TCP beside the server, and returns its address.
func relay(t *testing.T, l *lab.Lab, server string) string {
	t.Helper()
	listener, err := l.Server.Listen(lab.ServerIP4.String() + ":0")
	if err != nil {
		t.Fatal(err)
	}
	r := lab.StartRelay(listener, func() (net.Conn, error) { return l.Server.Dial(server, never) })
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}
