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
		"no environment":   "(setsid env -i /bin/sh -c 'exec 3>%; sleep 60 & sleep 60' &); sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, script)
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
// of its exit nor what it wrote. It counts also where it has left the server's group.
func TestExitWithChild(t *testing.T) {
	for name, script := range map[string]string{
		"the same group": "sleep 0.3 & echo last words",
		"a session":      "setsid sleep 0.3 & echo last words",
		"no environment": "setsid env -i /bin/sh -c 'sleep 0.3; :' & echo last words",
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, script)
			s, err := Start(Shell(t.Context(), script))
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
		})
	}
}

// needs skips what the script cannot do here.
func needs(t *testing.T, script string) {
	t.Helper()
	if !strings.Contains(script, "setsid") {
		return
	}
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat("/proc/self/limits"); err != nil {
		t.Skip("who leaves the group is not found without a proc(5)")
	}
}

// The number of the program's group is nobody else's until Kill, also where all of the
// group have ended, be it by their own signal to the whole group.
func TestGroupIsHeld(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip(err)
	}
	for _, script := range []string{"exit 0", "kill -s TERM 0; exit 0", "kill -s KILL 0"} {
		s, err := Start(Shell(t.Context(), script))
		if err != nil {
			t.Fatal(err)
		}
		<-s.Exited()
		if _, gone := s.Gone(t.Context()); !gone {
			t.Errorf("%s: something is left", script)
		}
		if err := syscall.Kill(-s.Pid, 0); err != nil {
			t.Errorf("%s: the group's number is free: %v", script, err)
		}
		s.Kill()
		if err := syscall.Kill(-s.Pid, 0); err == nil {
			t.Errorf("%s: somebody of the group is left", script)
		}
	}
}

// Nothing runs on where the process that started the server is killed: here
// that is a test binary of its own.
func TestGuardian(t *testing.T) {
	if script := os.Getenv("FINWAIT_TEST_SCRIPT"); script != "" {
		if _, err := Start(Shell(t.Context(), script)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started")
		select {} // until it is killed
	}
	for name, script := range map[string]string{
		"a child":        "exec 3>%; sleep 60 & wait",
		"a daemon":       "(setsid sh -c 'exec 3>%; sleep 60 & sleep 60' &); exit",
		"no environment": "(setsid env -i /bin/sh -c 'exec 3>%; sleep 60 & sleep 60' &); sleep 60",
		"signals":        "exec 3>%; trap '' TERM; kill -s TERM 0; sleep 60 & wait",
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, script)
			path := pipe(t)
			cmd := exec.Command(os.Args[0], "-test.run", "^TestGuardian$", "-test.timeout", "1m")
			cmd.Env = append(os.Environ(), "FINWAIT_TEST_SCRIPT="+strings.ReplaceAll(script, "%", path))
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
		})
	}
}

func TestTail(t *testing.T) {
	var tail Tail
	_, _ = tail.Write([]byte("begin"))
	if tail.String() != "begin" {
		t.Error(tail.String())
	}
	_, _ = tail.Write([]byte(strings.Repeat("x", tailSize-1) + "y"))
	if got := tail.String(); len(got) != tailSize+len("…") || !strings.HasPrefix(got,
		"…xx") || !strings.HasSuffix(got, "xy") {
		t.Errorf("%d bytes", len(got))
	}
}
