package servers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/peers"
)

// Process says how the server under test is started and stopped. {port} in
// Line, Args, Env, StopExec and the target's URL, CloseExec and KickExec is a free
// loopback port, which the server also has in $PORT; {pid} in these commands is its
// process id.
type Process struct {
	Line       string        // for sh -c; a simple command gets the signal itself, others begin their last one with exec
	Args       []string      // instead of Line: a program and its arguments
	Dir        string        // where it runs; empty: here
	Env        []string      // besides what this process has, each as NAME=value
	Ready      time.Duration // how long it may take until a handshake succeeds; default 30 s
	StopSignal os.Signal     // what asks it to stop; default SIGTERM
	StopExec   string        // for sh -c, instead of the signal
}

// ReadyDefault is how long a server may take to start, where nothing is said.
const ReadyDefault = 30 * time.Second

// ProbePatience is how long a connection of finwait's own waits for the server to end
// TCP; then it is reset.
const ProbePatience = 100 * time.Millisecond

// Server is a process of a target, under way.
type Server struct {
	*process.Server
	URL      *url.URL
	how      *Process
	port     int
	commands *process.Commands
	secrets  secret.Known // of the requests that it gets

	wrapped *process.Listener // the process that listens, where it is not the one that is signalled; nil: it is, or that is not known

	// When it was asked to stop, the process that is signalled was the shell of its command line,
	// or a wrapper that the signal ends before it could pass it on.
	shell, deaf atomic.Bool
}

// Target is the target as this server is reached: with its URL, and commands
// that have its port and process id.
func (s *Server) Target(t *Target) *Target {
	own := *t
	own.URL, own.CloseExec, own.KickExec = s.URL, s.fill(t.CloseExec), s.fill(t.KickExec)
	return &own
}

// Start starts the target's process on a free port, and returns when it
// accepts WebSocket connections. Its errors are one line, with the last that
// the process wrote. The process ends with ctx, and by Kill.
func Start(ctx context.Context, t *Target, commands *process.Commands) (*Server, error) {
	p := t.Process
	port, err := freePort(t.URL.Hostname())
	if err != nil {
		return nil, err
	}
	s := &Server{how: p, port: port, commands: commands, secrets: secret.Sent(t.URL, t.Header)}
	u := *t.URL
	u.Host = strings.ReplaceAll(u.Host, "{port}", strconv.Itoa(port))
	u.Path = strings.ReplaceAll(u.Path, "{port}", strconv.Itoa(port))
	s.URL = &u
	var cmd *exec.Cmd
	if len(p.Args) > 0 {
		args := make([]string, len(p.Args))
		for i, arg := range p.Args {
			args[i] = s.fill(arg)
		}
		cmd = process.Command(ctx, args[0], args[1:]...)
	} else {
		cmd = process.Shell(ctx, s.fill(direct(p.Line)))
	}
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port))
	for _, variable := range p.Env {
		cmd.Env = append(cmd.Env, s.fill(variable))
	}
	if s.Server, err = process.Start(cmd); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("the server could not be started: %w", peers.AsShortage(err))
	}
	limit := p.Ready
	if limit == 0 {
		limit = ReadyDefault
	}
	if err := s.ready(ctx, t, time.Now().Add(limit)); err != nil {
		s.Kill()
		if ctx.Err() != nil { // its end killed the server
			err = fmt.Errorf("was not ready: %w", context.Cause(ctx))
		}
		return nil, fmt.Errorf("the server %w%s", err, s.LastWords())
	}
	if own, err := strconv.Atoi(s.URL.Port()); err == nil {
		s.wrapped = s.Listener(own)
	}
	return s, nil
}

// ready waits until a handshake succeeds. There is no event for that: it tries
// again at growing intervals of 10 to 100 ms.
func (s *Server) ready(ctx context.Context, t *Target, limit time.Time) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		try := peers.Run(ctx, peers.Opened(peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{}),
			peers.Options{URL: s.URL, Header: t.Header, TLS: t.TLS, Setup: max(time.Until(limit), time.Millisecond), Patience: ProbePatience})
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("was not ready: %w", context.Cause(ctx))
		case errors.Is(try.Failure, syscall.ENETUNREACH):
			return fmt.Errorf("cannot be reached: %w: bring the network up (the loopback: ip link set lo up)", try.Failure)
		case !try.Triggered && final(try.Status):
			return fmt.Errorf("runs, but takes no WebSocket: %w", try.Failure)
		case try.Triggered:
			select {
			case <-s.Exited(): // somebody else answered
			default:
				return nil
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-s.Exited():
			timer.Stop()
			_, words := s.Status()
			return fmt.Errorf("ended before it was ready (%s)", words)
		case <-timer.C:
		}
		if time.Now().After(limit) {
			return fmt.Errorf("was not ready in time: %w", try.Failure)
		}
	}
}

// final tells whether a server that refused a handshake with this HTTP status, or broke it
// (101), does so again: not where it is starting (5xx), or says to try again.
func final(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusSwitchingProtocols, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return true
	}
	return status >= 200 && status < 500
}

// Stop asks the process to stop, and returns when it has been asked.
func (s *Server) Stop(ctx context.Context) error {
	s.shell.Store(s.how.Line != "" && s.AsStarted())
	if signal, ok := s.how.stopSignal().(syscall.Signal); ok && s.wrapped != nil {
		s.deaf.Store(s.wrapped.WrapperDies(signal))
	}
	if s.how.StopExec != "" {
		return RunLine(s.commands, s.fill(s.how.StopExec), s.secrets)(ctx)
	}
	if err := s.Signal(s.how.stopSignal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal the server: %w", err)
	}
	return nil
}

// stopSignal is the signal that asks the server to stop.
func (p *Process) stopSignal() os.Signal {
	if p.StopSignal == nil {
		return syscall.SIGTERM
	}
	return p.StopSignal
}

// SignalMissed says that the signal which was to stop the server did not reach it.
type SignalMissed string

// Error implements error.
func (e SignalMissed) Error() string { return string(e) }

// Reached is ctx as long as the server may have been reached by what stops it. It ends, with a
// [SignalMissed] as its cause, when the signal has ended the process that was started and not
// the server.
func (s *Server) Reached(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-s.Exited():
			if err := s.missed(); err != nil {
				cancel(err)
			}
		}
	}()
	return ctx, cancel
}

// missed tells, right after the process has ended, whether it was a shell or another wrapper
// that the stop signal ended while the server that it had started runs on. A server whose own
// process the signal ends while its children run on was reached.
func (s *Server) missed() error {
	signal, name := s.EndedBy()
	if name == "" || s.how.StopExec == "" && signal != s.how.stopSignal() {
		return nil
	}
	wrapper := "the shell"
	switch {
	case s.shell.Load():
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if _, gone := s.Gone(now); gone {
			return nil
		}
	case s.deaf.Load() && s.wrapped.Runs():
		wrapper = fmt.Sprintf("%+q", s.wrapped.Wrapper)
	default:
		return nil
	}
	return SignalMissed(name + " ended " + wrapper + " and never reached the server, which still runs: " + s.advice())
}

// unmoved tells, when the patience is over, whether the stop signal did not get through a wrapper:
// the server still runs, which the signal would have ended, or listens on, while the wrapper has
// ended.
func (s *Server) unmoved(left bool) error {
	signal, ok := s.how.stopSignal().(syscall.Signal)
	if !ok || s.wrapped == nil || s.how.StopExec != "" {
		return nil
	}
	switch {
	case s.wrapped.Dies(signal):
		return SignalMissed(fmt.Sprintf("%+q did not pass the signal (%s) on to the server, %+q, which still runs: %s",
			s.wrapped.Wrapper, signal, s.wrapped.Name, s.advice()))
	case left && s.wrapped.Listens():
		return SignalMissed(fmt.Sprintf("%+q ended, and the server, %+q, still listens: the signal (%s) did not reach it, or it ignores that: %s",
			s.wrapped.Wrapper, s.wrapped.Name, signal, s.advice()))
	}
	return nil
}

// advice is how the stop signal reaches the server.
func (s *Server) advice() string {
	advice := "begin the last command of --exec with exec"
	if !s.shell.Load() {
		advice = "begin the server's command with exec where it is started, or give that command itself to --exec"
	}
	if s.how.StopExec == "" {
		advice += ", or stop the server by --stop-exec"
	}
	return advice
}

func (s *Server) fill(line string) string {
	pid := ""
	if s.Server != nil {
		pid = strconv.Itoa(s.Pid)
	}
	return strings.NewReplacer("{port}", strconv.Itoa(s.port), "{pid}", pid).Replace(line)
}

// Written is the last that the process wrote, without secrets.
func (s *Server) Written() string { return s.secrets.Mask(s.Output.String()) }

// telling are words of a line that says why a server did not start.
var telling = regexp.MustCompile(`(?i)error|cannot|not found|refused|in use|panic|fatal|failed|denied|unavailable`)

// goPanic is the line that begins a Go trace, which may hold telling words too.
var goPanic = regexp.MustCompile(`^(panic|fatal error): `)

// LastWords are the last line that the process wrote of those that tell why, or
// the last of all: a stack trace follows.
func (s *Server) LastWords() string {
	lines := strings.Split(strings.TrimSpace(s.Written()), "\n")
	last := lines[len(lines)-1]
	for _, line := range lines {
		if telling.MatchString(line) {
			last = line
		}
		if goPanic.MatchString(line) {
			break
		}
	}
	if last = strings.TrimSpace(last); last != "" {
		return fmt.Sprintf(": it wrote %+.200q", last)
	}
	return ""
}

// Exit waits until the process and what it started have ended, or the patience is over; then
// they are killed. The error is a [SignalMissed].
func (s *Server) Exit(ctx context.Context, trigger time.Time, patience time.Duration) (*evidence.Exit, error) {
	ctx, cancel := context.WithDeadline(ctx, trigger.Add(patience))
	defer cancel()
	e := &evidence.Exit{Observed: true}
	select {
	case <-s.Exited():
	case <-ctx.Done():
	}
	select {
	case <-s.Exited():
		all, gone := s.Gone(ctx)
		e.At, e.Gone, e.Left = s.At().Sub(trigger), all.Sub(trigger), !gone
		e.Killed = e.At >= patience // what the peers' giving up brought about does not count
	default:
		e.At, e.Killed = time.Since(trigger), true
		e.Gone = e.At
	}
	var missed error
	if (e.Killed || e.Left) && time.Since(trigger) >= patience { // and was not interrupted
		missed = s.unmoved(e.Left)
	}
	s.Kill()
	e.Status, e.Words = s.Status()
	e.Output = s.Written()
	return e, missed
}

// Holds tells whether the server may open as many files as there are peers.
func (s *Server) Holds(n int) error {
	open, limit, ok := s.Files()
	if need := open + uint64(n); ok && need > limit {
		return fmt.Errorf("%d peers need %d open files in the server, its limit is %d: raise it with ulimit -n %[2]d before the command", n, need, limit)
	}
	return nil
}
