package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"
)

const (
	linkName = "link" // of the interface in each namespace
	bits4    = 24     // length of the link's prefix
	bits6    = 64
)

// Options say which lab is made.
type Options struct {
	// Loopback makes 127.0.0.1 of the client's namespace the server's: what listens there
	// in the server's namespace is reached over the link. The client's namespace then has
	// no IPv4 loopback of its own.
	Loopback bool

	Wire    bool          // the link is a wire in user space instead of a veth pair
	Seed    uint64        // of what the wire loses
	NAT     bool          // the wire translates the client's address to NATIP4, and carries TCP over IPv4 alone
	NATIdle time.Duration // the NAT forgets a connection on which no packet came for longer; 0: never
}

// Lab is two namespaces joined by a link.
type Lab struct {
	Client, Server *Namespace

	ToServer, ToClient *Path // the directions of the wire; nil without one

	wire *wire
}

// New makes a lab for a test, which ends with the test. Without the right it skips the
// test, and names what is missing.
func New(t testing.TB, o Options) *Lab {
	t.Helper()
	l, err := Open(o)
	if missing := (*Unavailable)(nil); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Unavailable is the error that a lab cannot be made here.
type Unavailable struct {
	Needs string // what is missing, such as CAP_SYS_ADMIN
	Err   error
}

// Error implements error.
func (u *Unavailable) Error() string { return fmt.Sprintf("needs %s: %v", u.Needs, u.Err) }

// Unwrap returns the error of the system call.
func (u *Unavailable) Unwrap() error { return u.Err }

// Open makes a lab, which ends with Close, and blocks until packets pass its link. The error
// wraps [Unavailable] where a right, or something of the kernel, is missing.
func Open(o Options) (*Lab, error) {
	l := &Lab{}
	if err := l.open(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) open(o Options) (err error) {
	if l.Client, err = newNamespace(); err != nil {
		return err
	}
	if l.Server, err = newNamespace(); err != nil {
		return err
	}
	if o.Wire || o.NAT {
		err = l.connect(o)
	} else {
		err = addVeth(l.Client, l.Server)
	}
	if err != nil {
		return err
	}
	if err := l.Client.configure(ClientIP4, ClientIP6); err != nil {
		return err
	}
	if err := l.Server.configure(ServerIP4, ServerIP6); err != nil {
		return err
	}
	if err := errors.Join(l.Client.awaitLink(), l.Server.awaitLink()); err != nil {
		return err
	}
	if o.Loopback {
		return l.shareLoopback()
	}
	return nil
}

// configure gives the link its addresses, and brings it and the loopback interface up.
func (n *Namespace) configure(addresses ...netip.Addr) error {
	return n.netlink(func(c *routes) error {
		if err := c.up("lo"); err != nil {
			return fmt.Errorf("bring the loopback up: %w", err)
		}
		for _, a := range addresses {
			if err := c.address(linkName, a); err != nil {
				return fmt.Errorf("give the link the address %s: %w", a, err)
			}
		}
		if err := c.up(linkName); err != nil {
			return fmt.Errorf("bring the link up: %w", err)
		}
		return nil
	})
}

// shareLoopback lets packets for 127.0.0.1 pass the link, which route_localnet allows
// (Documentation/networking/ip-sysctl.rst).
func (l *Lab) shareLoopback() error {
	for _, n := range []*Namespace{l.Client, l.Server} {
		allow := func() error {
			return os.WriteFile("/proc/sys/net/ipv4/conf/"+linkName+"/route_localnet", []byte("1"), 0)
		}
		if err := n.Do(allow); err != nil {
			return fmt.Errorf("let packets for 127.0.0.1 pass the link: %w", err)
		}
	}
	err := l.Client.netlink(func(c *routes) error {
		loopback := netip.MustParseAddr("127.0.0.1")
		return errors.Join(c.dropAddress("lo", loopback), c.route(linkName, loopback, ServerIP4, ClientIP4))
	})
	if err != nil {
		return fmt.Errorf("send packets for 127.0.0.1 over the link: %w", err)
	}
	return nil
}

// Close ends the lab, and returns when its goroutines have ended. Processes that the caller
// has started in it keep their namespace until they end.
func (l *Lab) Close() (err error) {
	if l.wire != nil {
		err = l.wire.close()
	}
	for _, n := range []*Namespace{l.Client, l.Server} {
		if n != nil && n.file != nil {
			err = errors.Join(err, n.file.Close())
		}
	}
	return err
}
