package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Who listens is found: the program itself or what it started, which inherits a socket.
func TestListener(t *testing.T) {
	if keeps := os.Getenv("FINWAIT_TEST_KEEPS"); keeps != "" {
		listenWithChild(t, keeps == "yes")
		return
	}
	for _, keeps := range []bool{true, false} {
		answer := map[bool]string{true: "yes", false: "no"}[keeps]
		cmd := Shell(t.Context(), fmt.Sprintf(`FINWAIT_TEST_KEEPS=%s exec "%s" -test.run "^TestListener$"`, answer,
			os.Args[0]))
		s, err := Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Kill()
		port := 0
		for limit := time.Now().Add(10 * time.Second); port == 0; time.Sleep(time.Millisecond) {
			_, _ = fmt.Sscanf(s.Output.String(), "port %d\n", &port)
			if time.Now().After(limit) {
				t.Fatalf("no port: %s", s.Output)
			}
		}
		l := s.Listener(port)
		switch {
		case keeps && l != nil:
			t.Errorf("%+v listens in the place of a program that does", l)
		case keeps:
		case l == nil || l.Name != "sleep" || !strings.HasPrefix("process.test", l.Wrapper):
			t.Fatalf("got %+v", l)
		case !l.Runs() || !l.Listens() || !l.WouldDie(syscall.SIGTERM) || l.WrapperWouldDie(syscall.SIGTERM): // Go handles signals
			t.Errorf("runs %t, listens %t, dies %t, its wrapper %t",
				l.Runs(), l.Listens(), l.WouldDie(syscall.SIGTERM), l.WrapperWouldDie(syscall.SIGTERM))
		}
		if s.Listener(1) != nil {
			t.Error("somebody listens on port 1")
		}
		if s.Kill(); l != nil && (l.Runs() || l.Listens() || l.WouldDie(syscall.SIGTERM)) {
			t.Error("it runs on")
		}
	}
}

// listenWithChild starts a process that has a listening socket, and keeps it or not.
func listenWithChild(t *testing.T, keeps bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{f}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if !keeps {
		_, _ = l.Close(), f.Close()
	}
	fmt.Printf("port %d\n", port)
	_ = child.Wait()
}
