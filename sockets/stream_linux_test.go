package sockets

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStream: a connection that was there before is not followed; of another one every change is
// written once, with bounds that are true; an order is answered; the end of the input ends it.
func TestStream(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			ln := listenOn(t, f)
			dial(t, ln, f) // before
			s := startStream(t, addr(ln.Addr()).Port())
			if l := s.next(t); l.Format != StreamFormat || l.Version != StreamVersion || !slices.Equal(l.Ports, []uint16{addr(ln.Addr()).Port()}) {
				t.Fatalf("begins with %+v", l)
			}
			check(t, fprint(s.in, `{"sync":7}`, `nonsense`, `{"later":"version"}`))
			if l := s.next(t); l.Sync != 7 || l.at() <= 0 || l.at() > patience {
				t.Fatalf("answered %+v", l)
			}
			_, _ = ln.AcceptTCP()
			peer := dial(t, ln, f)
			var got []string
			until := func(e event) *line {
				for {
					l := s.next(t)
					if l.Peer != withoutZone(addr(peer.LocalAddr())) {
						t.Fatalf("told of %+v", l)
					}
					got = append(got, strings.TrimSpace(fmt.Sprint(l.Event, " ", l.State, map[bool]string{true: " held"}[l.Held])))
					if l.Event == e {
						return &l
					}
				}
			}
			server, err := ln.AcceptTCP()
			check(t, err)
			until(acceptedEvent)
			check(t, fprint(s.in, fmt.Sprintf(`{"urgent":%d}`, cookie(t, server))))
			check(t, peer.CloseWrite())
			for l := until(stateEvent); l.State != "CLOSE_WAIT"; l = until(stateEvent) {
			}
			before, after := closeNow(t, server)
			released := until(releasedEvent)
			bounded(t, "release", s.zero.Add(released.at()+s.doubt), time.Duration(released.Bound)+s.doubt, before, after)
			until(freedEvent)
			if n := len(slices.Compact(slices.Clone(got))); n != len(got) || !slices.Contains(got, "state ESTABLISHED held") {
				t.Errorf("told %q", got)
			}
			s.end(t)
		})
	}
}

// A stream that nobody reads does not grow, and an input that never ends a line ends it.
func TestStreamUnread(t *testing.T) {
	ln := listenOn(t, ipv4)
	s := startStream(t, addr(ln.Addr()).Port())
	s.next(t)
	for range 300 {
		peer := dial(t, ln, ipv4)
		server, err := ln.AcceptTCP()
		check(t, err)
		check(t, peer.Close())
		check(t, server.Close())
	}
	// The pipe is full at some time; what is pending is of sockets that are followed.
	s.o.mu.Lock()
	pending, followed := len(s.o.changes.pending), len(s.o.changes.followed)
	s.o.mu.Unlock()
	if pending > followed || followed > mostFollowed {
		t.Errorf("%d pending of %d", pending, followed)
	}
	go func() { _, _ = io.Copy(io.Discard, s.out) }()
	_, _ = s.in.Write(bytes.Repeat([]byte("x"), 2*mostLineBytes))
	select {
	case err := <-s.ended:
		check(t, err)
	case <-time.After(patience):
		t.Error("it did not end")
	}
}

// running is a stream of this process.
type running struct {
	o     *Observer
	in    *os.File
	out   *bufio.Reader
	ended chan error
	zero  time.Time // its clock was 0 in [zero, zero+doubt]
	doubt time.Duration
}

func startStream(t *testing.T, port uint16) *running {
	o := open(t)
	in, orders, err := os.Pipe()
	check(t, err)
	lines, out, err := os.Pipe()
	check(t, err)
	s := &running{o: o, in: orders, out: bufio.NewReader(lines), ended: make(chan error, 1), zero: time.Now()}
	go func() {
		s.ended <- o.Stream(t.Context(), []uint16{port}, in, out)
		_ = out.Close()
	}()
	t.Cleanup(func() { _, _, _ = orders.Close(), lines.Close(), in.Close() })
	if _, err := s.out.Peek(1); err != nil {
		t.Fatal(err)
	}
	s.doubt = time.Since(s.zero)
	return s
}

func (s *running) next(t *testing.T) line {
	t.Helper()
	text, err := s.out.ReadBytes('\n')
	check(t, err)
	l, err := parseLine(text)
	check(t, err)
	return l
}

func (s *running) end(t *testing.T) {
	t.Helper()
	check(t, s.in.Close())
	select {
	case err := <-s.ended:
		check(t, err)
	case <-time.After(patience):
		t.Fatal("it did not end with its input")
	}
}

func fprint(w io.Writer, lines ...string) error {
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}
