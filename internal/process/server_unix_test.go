//go:build unix

package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes a named pipe.
func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// holder opens the pipe for reading, which blocks until somebody holds it, and
// gives what waits until nobody does any more.
func holder(t *testing.T, path string) (ended func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		defer f.Close()
		if err := f.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(f); err != nil {
			t.Errorf("what was started still runs: %v", err)
		}
	}
}

// What a server started ends with it, also when it has ended before.
func TestKillEndsTheChildren(t *testing.T) {
	for name, script := range map[string]string{
		"the server waits": "exec 3>%; sleep 60 & wait",
		"the server ends":  "exec 3>%; sleep 60 & exit 3",
		"a session":        "setsid sh -c 'exec 3>%; exec sleep 60' & wait",
		"a daemon":         "(setsid sh -c 'exec 3>%; sleep 60 & sleep 60' &); sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("setsid"); err != nil && strings.Contains(script, "setsid") {
				t.Skip(err)
			}
			path := pipe(t)
			s, err := Start(Shell(t.Context(), strings.ReplaceAll(script, "%", path)))
			if err != nil {
				t.Fatal(err)
			}
			ended := holder(t, path)
			if name == "the server ends" {
				<-s.Exited()
				if code, words := s.Status(); code != 3 || words != "exit status 3" {
					t.Errorf("%d, %q", code, words)
				}
				now, cancel := context.WithCancel(t.Context())
				cancel()
				if _, gone := s.Gone(now); gone {
					t.Error("nothing is left")
				}
			}
			s.Kill()
			ended()
			if s.Signal(syscall.SIGTERM) == nil {
				t.Error("a server that has ended takes signals")
			}
		})
	}
}

// What a server leaves behind holds its output open, and delays neither the time
// of its exit nor what it wrote.
func TestExitWithChild(t *testing.T) {
	s, err := Start(Shell(t.Context(), "sleep 0.3 & echo last words"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	<-s.Exited()
	at, gone := s.Gone(t.Context())
	if late := at.Sub(s.At()); !gone || late < 100*time.Millisecond || late > 5*time.Second {
		t.Errorf("all gone %s after the exit, %t", late, gone)
	}
	s.Kill()
	if got := s.Output.String(); got != "last words\n" {
		t.Errorf("it wrote %q", got)
	}
}

// Nothing runs on where the process that started the server is killed: here
// that is a test binary of its own.
func TestGuardian(t *testing.T) {
	if path := os.Getenv("FINWAIT_TEST_PIPE"); path != "" {
		if _, err := Start(Shell(t.Context(), "exec 3>"+path+"; sleep 60 & wait")); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started")
		select {} // until it is killed
	}
	path := pipe(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestGuardian$", "-test.timeout", "1m")
	cmd.Env = append(os.Environ(), "FINWAIT_TEST_PIPE="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := holder(t, path)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatal(line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	ended()
}

func TestTail(t *testing.T) {
	var tail Tail
	_, _ = tail.Write([]byte("begin"))
	if tail.String() != "begin" {
		t.Error(tail.String())
	}
	_, _ = tail.Write([]byte(strings.Repeat("x", tailSize-1) + "y"))
	if got := tail.String(); len(got) != tailSize+len("…") || !strings.HasPrefix(got, "…xx") || !strings.HasSuffix(got, "xy") {
		t.Errorf("%d bytes", len(got))
	}
}
