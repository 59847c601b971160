// Package reference is a WebSocket echo server that closes its connections as
// RFC 6455 demands, within declared limits. It can have one named fault, so that
// every rule of the catalogue can be seen to fail.
//
// It never negotiates an extension or a subprotocol, and knows nothing of
// finwait.
package reference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Options sets the server's limits. The zero value is ready to use.
type Options struct {
	// CloseTimeout limits a closing as a whole: the write of the Close frame, the
	// wait for the peer's Close frame, and the wait for its FIN. It also limits each
	// write to a peer that does not read. Default 2s.
	CloseTimeout time.Duration
	// PingInterval is the time between Pings. If no byte came from a peer between two
	// Pings, the server sends it RST. Default 1s; negative: no Pings.
	PingInterval time.Duration
	// HandshakeTimeout limits the TLS handshake and the request together.
	// Default 2s.
	HandshakeTimeout time.Duration
	// Late is how long the fault answer-late waits; event-late waits three times as
	// long. Default 5s.
	Late time.Duration
	// MaxMessage is the longest message in bytes; a longer one fails the
	// connection with 1009. Default 16 MiB.
	MaxMessage int64
	// Fault is the name of one of Faults, or empty.
	Fault string
	// Log gets each event of the server. The server calls it from several goroutines
	// at once and waits for it, so it must return quickly. May be nil.
	Log func(Event)
}

// Event is one thing that the server did or saw.
type Event struct {
	Conn uint64 // counts from 1 in the order of accept
	Peer netip.AddrPort
	At   time.Time // with its monotonic part
	// What is "accepted", "opened", "close-received", "violation", "close-sent",
	// "fin-sent" or "released" (the descriptor's close(2) has just returned).
	What   string
	Code   int    // of a Close frame (1005: it had no code) or of a violation, else 0
	Reason string // of a Close frame or of a violation; may be any bytes
}

// Check reports, before anything listens, whether [Serve] accepts the options.
func (o Options) Check() error {
	_, err := newBehaviour(o)
	return err
}

// Serve answers every connection that l accepts until ctx ends. Then it closes
// l, sends each peer a Close frame with 1001, and returns nil when every connection
// is closed, at most about CloseTimeout later. If l fails first, it does the same
// and returns l's error. l must accept TCP connections, or TLS over TCP.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	b, err := newBehaviour(o)
	if err != nil {
		return err
	}
	s := &server{behaviour: b, stop: make(chan struct{})}
	var accepting error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		accepting = s.accept(ctx, l)
	}()
	select {
	case <-ended:
		err = accepting
	case <-ctx.Done():
		err = s.onStopRequest(s, l)
	}
	s.shutdown()
	_ = l.Close()
	<-ended
	s.group.Wait() // for connections that were accepted meanwhile
	return err
}

type server struct {
	behaviour
	conns       sync.Map // the keys are the *conn whose descriptors are open
	closeEvents eventStore
	group       sync.WaitGroup
	stop        chan struct{}
	deadline    time.Time // absolute end of the shutdown; set before stop is closed
}

// accept starts a goroutine for each connection, until l fails.
func (s *server) accept(ctx context.Context, l net.Listener) error {
	for id := uint64(1); ; {
		accepted, err := l.Accept()
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			pause(ctx.Done(), lastMoment)
			continue
		case err != nil:
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		c, err := newConn(s, id, accepted)
		if err != nil {
			_ = accepted.Close()
			return err
		}
		id++
		s.conns.Store(c, nil)
		s.group.Go(func() {
			defer s.conns.Delete(c)
			c.serve()
		})
	}
}

// shutdown wakes every connection, so that each starts its closing handshake.
func (s *server) shutdown() {
	s.deadline = s.stopDeadline(s.Options)
	close(s.stop)
	s.conns.Range(func(c, _ any) bool {
		c.(*conn).wake()
		return true
	})
	s.group.Wait()
}

func (s *server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// lastMoment is how long one more read or write may take after a deadline.
const lastMoment = 50 * time.Millisecond

// pause waits for d, or until stop is closed.
func pause(stop <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stop:
	}
}

func (o Options) withDefaults() Options {
	o.CloseTimeout = cmp.Or(o.CloseTimeout, 2*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, time.Second)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 2*time.Second)
	o.Late = cmp.Or(o.Late, 5*time.Second)
	o.MaxMessage = cmp.Or(o.MaxMessage, 16<<20)
	return o
}
