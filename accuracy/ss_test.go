package main

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"
)

// TestLogHasTheEnd: a socket that is released just before the log ends is in the log.
func TestLogHasTheEnd(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	of, err := endsOf(server.LocalAddr().String(), peer.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	log := &ssLog{sockets: map[ends][]sighting{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.run(ctx) }()
	saw := func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(log.sockets[of]) > 0
	}
	for limit := time.Now().Add(10 * time.Second); !saw() && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	before := time.Now()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if held, gone := log.released(of, before); held.IsZero() || held.After(after) || gone.Before(before) {
		t.Errorf("held at %s, gone at %s, closed from %s to %s", held, gone, before, after)
	}
}
