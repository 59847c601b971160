package peers

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// noMoreFiles lets this process open none until the function that it returns is
// called.
func noMoreFiles(t *testing.T) (more func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	return func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }
}

// TestShortage: what finwait's host lacks is an error of its own, and no refusal by
// the server.
func TestShortage(t *testing.T) {
	for _, test := range []struct {
		name           string
		script, leader Script
	}{
		{"connect", Opened(Trigger{}), nil},
		{"keep the port", Script{Connect{KeepPort: true}}, nil},
		{"knock", Script{ConnectAfter{}}, Opened()},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := serve(t, func(c *conn) { c.upgrade(); _, _ = c.drain() })
			more := func() {}
			lower := do(func(context.Context, *Peer) error { more = noMoreFiles(t); return nil })
			var running sync.WaitGroup
			if test.leader == nil {
				_ = lower.Do(t.Context(), nil)
			} else {
				o.Barrier = NewBarrier(1)
				running.Go(func() { Run(t.Context(), append(test.leader, lower, JoinBarrier{Lead: true}, Finish{}), o) })
			}
			r := Run(t.Context(), test.script, o)
			running.Wait()
			more()
			short := new(Shortage)
			if !errors.As(r.Failure, &short) || !errors.Is(short, syscall.EMFILE) || r.Refused ||
				!strings.Contains(r.Err, "too many open files, on finwait's side and not the server's: raise the limit with ulimit -n") {
				t.Errorf("%q, refused %t", r.Err, r.Refused)
			}
		})
	}
}

// TestAsShortage: which errors are ones of finwait's own host.
func TestAsShortage(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, syscall.EADDRNOTAVAIL: true, syscall.EADDRINUSE: true,
		syscall.ECONNREFUSED: false, syscall.ECONNRESET: false, syscall.EHOSTUNREACH: false, syscall.ETIMEDOUT: false,
	} {
		err := AsShortage(&net.OpError{Op: "dial", Err: errno})
		if got := errors.As(err, new(*Shortage)); got != want || !errors.Is(err, errno) {
			t.Errorf("%v: %t", err, got)
		}
		if again := AsShortage(err); again.Error() != err.Error() {
			t.Errorf("twice: %v", again)
		}
	}
}
