package process

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Server is a program under way, with all that it starts.
type Server struct {
	Pid    int
	Output *Tail // of its standard output and standard error

	cmd      *exec.Cmd
	guardian *exec.Cmd
	exited   chan struct{}
	at       time.Time
	err      error // of Wait
}

// Start starts cmd, which [Command] or [Shell] made. Where finwait itself is
// killed, a guardian ends the program's group.
func Start(cmd *exec.Cmd) (*Server, error) {
	s := &Server{cmd: cmd, Output: &Tail{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = s.Output, s.Output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.Pid = cmd.Process.Pid
	s.guardian = guard(s.Pid)
	go func() {
		s.err = cmd.Wait()
		s.at = time.Now()
		close(s.exited)
	}()
	return s, nil
}

// Exited is closed when the program has ended; At, Status and Left may be asked
// then. What it started may run on.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// At is when the program was seen to have ended.
func (s *Server) At() time.Time { return s.at }

// Status is the exit status: of a program that was killed by a signal, -1 and
// the signal in words.
func (s *Server) Status() (code int, words string) {
	state := s.cmd.ProcessState
	return state.ExitCode(), state.String()
}

// Signal signals the program alone, not what it started.
func (s *Server) Signal(signal os.Signal) error {
	select {
	case <-s.exited:
		return fmt.Errorf("the program has ended: %w", os.ErrProcessDone)
	default:
		return s.cmd.Process.Signal(signal)
	}
}

// Left tells, when the program has ended, whether what it started runs on.
func (s *Server) Left() bool { return alive(s.Pid) }

// Kill ends the program and all that it started, and returns when it has
// ended.
func (s *Server) Kill() {
	_ = s.cmd.Cancel()
	<-s.exited
	if s.guardian != nil {
		_ = s.guardian.Process.Kill()
		_ = s.guardian.Wait()
	}
}

// Tail keeps the last of what is written to it.
type Tail struct {
	mu   sync.Mutex
	last []byte
	cut  bool
}

// tailSize is how many bytes of a program's output are kept.
const tailSize = 16 << 10

// Write implements io.Writer.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last, t.cut = append([]byte(nil), t.last[over:]...), true
	}
	return len(b), nil
}

// String is what was written last; where it is not all, it begins with "…".
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return "…" + string(t.last)
	}
	return string(t.last)
}
