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

// Server is a program under way, with all that it starts.
type Server struct {
	Pid    int
	Output *Tail // of its standard output and standard error

	cmd     *exec.Cmd
	args    []string // of the program
	mark    mark
	helpers []*exec.Cmd // that hold the group and guard it
	killed  sync.Once
	exited  chan struct{}
	at      time.Time
	err     error // of the exit
	output  *os.File
	read    chan struct{} // closed when nobody can write to output any more
}

// Start starts cmd, which [Command] or [Shell] made. Where finwait itself is
// killed, a guardian ends what it started.
func Start(cmd *exec.Cmd) (*Server, error) {
	var helpers []*exec.Cmd
	m := newMark()
	s, err := start(cmd, m, func(pid int) { helpers = []*exec.Cmd{hold(pid), guard(strconv.Itoa(pid), m)} })
	if err == nil {
		s.helpers = helpers
	}
	return s, err
}

// start starts cmd with the mark, when prepare is over.
func start(cmd *exec.Cmd, m mark, prepare func(pid int)) (*Server, error) {
	output, w, err := os.Pipe() // of its own: Wait must not wait for what the program started and left behind
	if err != nil {
		return nil, err
	}
	s := &Server{cmd: cmd, args: cmd.Args, mark: m, Output: &Tail{}, exited: make(chan struct{}), output: output, read: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.Env = w, w, append(cmd.Environ(), s.mark.variable)
	err = m.start(cmd, prepare)
	_ = w.Close()
	if err != nil {
		_ = output.Close()
		return nil, err
	}
	s.Pid = cmd.Process.Pid
	go func() {
		_, _ = io.Copy(s.Output, output)
		close(s.read)
	}()
	go func() {
		s.err = cmd.Wait()
		s.at = time.Now()
		close(s.exited)
	}()
	return s, nil
}

// Exited is closed when the program has ended; At, Status and Gone may be asked
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

// Gone waits until also what the program started has ended, after its own end, and tells
// when that was seen; a process that left the program's group counts too, where there is a proc(5). false: it runs on when ctx is done. There is no
// event for that: it looks at growing intervals of 1 to 10 ms.
func (s *Server) Gone(ctx context.Context) (at time.Time, ok bool) {
	<-s.exited
	at = s.at
	who := ""
	for pause := time.Millisecond; ; pause = min(2*pause, 10*time.Millisecond) {
		var runs bool
		if who, runs = alive(s.Pid, s.mark, who); !runs {
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

// Kill ends the program and all that it started, and returns when it has
// ended, and its output has been read. Who has left the program's group and is not
// found may hold that open: it is read for a second at most.
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

// readAll waits until the output has been read to its end, and closes it then.
func (s *Server) readAll(most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-s.read:
		_ = s.output.Close()
		return true
	case <-timer.C:
		return false
	}
}

// stop ends a helper, if there is one.
func stop(helper *exec.Cmd) {
	if helper != nil {
		_ = helper.Process.Kill()
		_ = helper.Wait()
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
