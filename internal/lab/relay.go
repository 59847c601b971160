package lab

import (
	"io"
	"net"
	"sync"
)

// Relay is a proxy that ends TCP: it accepts connections, opens one to the server for each,
// and copies bytes. It passes on FIN, and passes on RST by a reset. So the peer's socket
// and the server's are ends of two connections, and neither acknowledges for the other.
type Relay struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once it is closed
}

// StartRelay relays what the listener accepts, to connections that dial opens, until Close.
// Close waits for a dial, which must be bounded.
func StartRelay(l net.Listener, dial func() (net.Conn, error)) *Relay {
	r := &Relay{listener: l, dial: dial, conns: map[net.Conn]bool{}}
	r.running.Go(r.accept)
	return r
}

// Close ends all connections, and returns when the goroutines have ended.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.running.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		peer, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.running.Go(func() { r.relay(peer) })
	}
}

func (r *Relay) relay(peer net.Conn) {
	defer peer.Close()
	server, err := r.dial()
	if err != nil { // the server refuses, or has reset the connection already
		reset(peer)
		return
	}
	defer server.Close()
	if !r.keep(peer, server) {
		return
	}
	defer r.drop(peer, server)
	var both sync.WaitGroup
	both.Go(func() { pass(server, peer) })
	both.Go(func() { pass(peer, server) })
	both.Wait()
}

// pass copies bytes until the source ends, and passes its end on.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil { // one of them is reset, or closed by Close
		reset(to)
		reset(from)
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// reset closes a connection by RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (r *Relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns == nil {
		return false
	}
	for _, conn := range conns {
		r.conns[conn] = true
	}
	return true
}

func (r *Relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		delete(r.conns, conn)
	}
}
