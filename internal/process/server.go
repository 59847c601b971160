package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Server is a started program, with all that it starts itself.
type Server struct {
	Pid    int
	Output *Tail // the standard output and standard error of all these processes

	cmd        *exec.Cmd
	args       []string // the program and its arguments; cmd.Args may begin with a shell
	mark       mark
	helpers    []*exec.Cmd // processes that reserve the group and guard it; may be nil
	killed     sync.Once
	exited     chan struct{} // closed when the program has exited
	exitedAt   time.Time     // valid once exited is closed
	exitErr    error         // the error of cmd.Wait; valid once exited is closed
	output     *os.File      // the pipe that Output is read from
	outputRead chan struct{} // closed when output has been read to its end
}

// Start starts cmd, which [Command] or [Shell] made. Where cmd has a Stdout of its own, Output is
// the standard error alone. If finwait itself is killed, a guardian
// process kills what Start started.
func Start(cmd *exec.Cmd) (*Server, error) {
	var helpers []*exec.Cmd
	m := newMark()
	s, err := start(cmd, m, func(pid int) {
		helpers = []*exec.Cmd{reserveGroup(pid), startGuardian(strconv.Itoa(pid), m)}
	})
	if err == nil {
		s.helpers = helpers
	}
	return s, err
}

// start starts cmd with the mark. prepare gets the process id before the program begins.
func start(cmd *exec.Cmd, m mark, prepare func(pid int)) (*Server, error) {
	output, w, err := os.Pipe() // cmd's own pipe would make Wait wait for processes that the program leaves behind
	if err != nil {
		return nil, err
	}
	s := &Server{
		cmd: cmd, args: cmd.Args, mark: m, exited: make(chan struct{}),
		Output: &Tail{}, output: output, outputRead: make(chan struct{}),
	}
	if cmd.Stdout == nil {
		cmd.Stdout = w
	}
	cmd.Stderr, cmd.Env = w, append(cmd.Environ(), s.mark.variable)
	err = m.start(cmd, prepare)
	_ = w.Close()
	if err != nil {
		_ = output.Close()
		return nil, err
	}
	s.Pid = cmd.Process.Pid
	go func() {
		_, _ = io.Copy(s.Output, output)
		close(s.outputRead)
	}()
	go func() {
		s.exitErr = cmd.Wait()
		s.exitedAt = time.Now()
		close(s.exited)
	}()
	return s, nil
}

// Exited returns a channel that is closed when the program has ended. What the program started
// may run on. At, Status and EndedBy may be called only after that.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// At returns when the program was seen to have ended.
func (s *Server) At() time.Time { return s.exitedAt }

// Status returns the exit status in a number and in words. If a signal killed the program, the
// number is -1, and the words name the signal.
func (s *Server) Status() (code int, words string) {
	state := s.cmd.ProcessState
	return state.ExitCode(), state.String()
}

// Signal sends the signal to the program alone, not to what it started. The error wraps
// [os.ErrProcessDone] if the program has ended.
func (s *Server) Signal(signal os.Signal) error {
	select {
	case <-s.exited:
		return fmt.Errorf("the program has ended: %w", os.ErrProcessDone)
	default:
		return s.cmd.Process.Signal(signal)
	}
}

// Gone blocks until the program and all that it started have ended, or ctx is done, and returns
// when that was seen; false: something was still running when ctx was done. On systems with
// proc(5), processes that have left the program's group count too. The kernel has no event for
// this, so Gone looks at growing intervals of 1 to 10 ms.
func (s *Server) Gone(ctx context.Context) (at time.Time, ok bool) {
	<-s.exited
	at = s.exitedAt
	found := ""
	for pause := time.Millisecond; ; pause = min(2*pause, 10*time.Millisecond) {
		var runs bool
		if found, runs = findRunning(s.Pid, s.mark, found); !runs {
			return at, true
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return time.Now(), false
		case <-timer.C:
		}
		at = time.Now()
	}
}

// Kill kills the program and all that it started, and returns when the program has ended and
// its output has been read. A process that has left the group and was not found may hold the
// output open: it is read for a second at most.
func (s *Server) Kill() {
	s.killed.Do(func() {
		_ = s.cmd.Cancel()
		<-s.exited
		s.mark.killStrays()
		for _, helper := range s.helpers {
			stop(helper)
		}
		if !s.readAll(time.Second) {
			_ = s.output.Close()
		}
	})
}

// readAll waits until the output has been read to its end, and closes it. False: it has not
// been within the limit, and is still open.
func (s *Server) readAll(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.outputRead:
		_ = s.output.Close()
		return true
	case <-timer.C:
		return false
	}
}

// stop kills a helper, which may be nil.
func stop(helper *exec.Cmd) {
	if helper != nil {
		_ = helper.Process.Kill()
		_ = helper.Wait()
	}
}

// Tail keeps the last tailSize bytes of what is written to it.
type Tail struct {
	mu        sync.Mutex
	last      []byte
	truncated bool
}

// tailSize is how many bytes of a program's output are kept.
const tailSize = 16 << 10

// Write implements [io.Writer]. It never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last, t.truncated = append([]byte(nil), t.last[over:]...), true
	}
	return len(b), nil
}

// String returns what was written last. It begins with "…" if more was written.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.truncated {
		return "…" + string(t.last)
	}
	return string(t.last)
}
