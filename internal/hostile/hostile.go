// Package hostile has servers that misbehave on purpose, for the tests of everything that
// talks to a server. They use raw TCP on loopback, some of them with TLS. Each has one
// misbehaviour. The package judges nothing.
package hostile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
)

// Misbehaviour is what a server does to its clients.
type Misbehaviour struct {
	Name   string
	Text   string // one sentence: what the server does
	Polite int    // how many connections the server first serves correctly; finwait's preflight is one
	act    func(*conn)
}

// All lists the misbehaviours.
func All() []Misbehaviour {
	return slices.Concat(handshakes(), deaths(), frames(), resets(), floods(), secure())
}

// Server is a running hostile server.
type Server struct {
	URL string // ws, or wss with a certificate that nobody can verify

	listener *net.TCPListener
	tls      *tls.Config // nil: ws
	closing  chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]bool // nil once the server is dead
}

// Start runs the server on a free loopback port until Close.
func Start(name string) (*Server, error) {
	all := All()
	i := slices.IndexFunc(all, func(m Misbehaviour) bool { return m.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no hostile server is called %q", name)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "ws://" + l.Addr().String() + "/", listener: l, closing: make(chan struct{}), conns: map[*conn]bool{}}
	if slices.ContainsFunc(secure(), func(m Misbehaviour) bool { return m.Name == name }) {
		own, err := certificate()
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		s.URL, s.tls = "wss://"+l.Addr().String()+"/", &tls.Config{Certificates: []tls.Certificate{own}}
	}
	s.running.Go(func() { s.accept(all[i]) })
	return s, nil
}

// Close ends the server and resets its connections. It blocks until all goroutines of
// the server have ended.
func (s *Server) Close() {
	close(s.closing)
	s.die()
	s.running.Wait()
}

func (s *Server) accept(m Misbehaviour) {
	for n := 0; ; n++ {
		tcp, err := s.listener.AcceptTCP()
		if err != nil {
			return
		}
		c := newConn(tcp, s)
		if !s.add(c) {
			c.reset()
			return
		}
		act := m.act
		if n < m.Polite {
			act = polite
		}
		s.running.Go(func() {
			defer s.remove(c)
			act(c)
		})
	}
}

// die closes the listener and resets every connection.
func (s *Server) die() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.reset()
	}
	s.conns = nil
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns != nil {
		s.conns[c] = true
	}
	return s.conns != nil
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	_ = c.Close()
}
