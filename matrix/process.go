package matrix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/internal/process"
)

// startLimit is how long a server may take until it listens.
const startLimit = 30 * time.Second

// Prepare runs the target's install command in its folder. An error ends with
// what the command wrote last.
func (t *Target) Prepare(ctx context.Context) error {
	cmd := process.Shell(ctx, t.Install)
	cmd.Dir = t.dir
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", t.Install, err, lastLine(out))
	}
	return nil
}

// server is a process of a target.
type server struct {
	url    *url.URL
	cmd    *exec.Cmd
	errors *tail // of its standard error
}

// start runs the server on a free port and waits, for startLimit at most, until
// it says that it listens; an error ends with what it wrote last to standard
// error. It is ended with ctx, as by stop.
func (t *Target) start(ctx context.Context) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(t.Start)
	cmd := process.Command(ctx, fields[0], fields[1:]...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port))
	s := &server{cmd: cmd, errors: &tail{}}
	cmd.Stderr = s.errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.url, err = url.Parse(fmt.Sprintf("ws://127.0.0.1:%d/%s", port, strings.TrimPrefix(t.Path, "/")))
	if err != nil {
		return nil, fmt.Errorf("%s: path: %w", t.File(), err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Start, err)
	}
	ready := make(chan error, 1)
	go func() {
		ready <- listening(out)
		_, _ = io.Copy(io.Discard, out)
	}()
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case err = <-ready:
	case <-timer.C:
		err = fmt.Errorf("is not listening after %s", startLimit)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w: %s", t.Start, err, lastLine(s.errors.bytes()))
	}
	return s, nil
}

// listening blocks until a line says so, or no further line comes.
func listening(out io.Reader) error {
	lines := bufio.NewReader(out)
	for {
		line, long, err := lines.ReadLine()
		switch {
		case err != nil:
			return errors.New("ended before it was listening")
		case strings.HasPrefix(string(line), "listening"):
			return nil
		}
		for long && err == nil { // the rest of it
			_, long, err = lines.ReadLine()
		}
	}
}

// stop kills the process and its group, and returns when it has ended.
func (s *server) stop() {
	_ = s.cmd.Cancel()
	_ = s.cmd.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const tailSize = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	return len(b), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// lastLine is the last line of an output that says something.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
