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
	Line       string        // for sh -c; a simple command gets the signal itself, another must exec its last one
	Args       []string      // instead of Line: a program and its arguments
	Dir        string        // the working directory; empty: that of this process
	Env        []string      // NAME=value each, besides the environment of this process
	Ready      time.Duration // how long it may take until a handshake succeeds; default 30 s
	StopSignal os.Signal     // what asks the server to stop; default SIGTERM
	StopExec   string        // a command for sh -c that stops the server, instead of the signal
}

// ReadyDefault is how long a server may take to start if Process.Ready is 0.
const ReadyDefault = 30 * time.Second

// ProbePatience is how long finwait's own connections, which belong to no scenario, wait for
// the server to end TCP. Then finwait resets them.
const ProbePatience = 100 * time.Millisecond

// Server is a running process of a target.
type Server struct {
	*process.Server
	URL      *url.URL // the target's URL with the port of this server
	config   *Process
	port     int
	commands *process.Commands
	secrets  secret.Known // those of the requests that finwait sends to the server

	// listener is the process that listens if that is not the started one, which is then a
	// wrapper. Nil: the started process listens, or it is not known who does.
	listener *process.Listener

	// Stop sets these: whether it signalled the shell of the command line, and whether the
	// signal kills the wrapper, so that the wrapper cannot pass it on.
	signalledShell, signalKillsWrapper atomic.Bool
}

// Target returns a copy of the target with the URL of this server, and with its port and
// process id in the commands.
func (s *Server) Target(t *Target) *Target {
	own := *t
	own.URL, own.CloseExec, own.KickExec = s.URL, s.fill(t.CloseExec), s.fill(t.KickExec)
	return &own
}

// Start starts the target's process on a free port, and blocks until the process accepts
// WebSocket connections, Process.Ready has passed or ctx is done. The error is one line, with
// what the process wrote last. The process ends when ctx is done or Kill is called.
func Start(ctx context.Context, t *Target, commands *process.Commands) (*Server, error) {
	p := t.Process
	port, err := freePort(t.URL.Hostname())
	if err != nil {
		return nil, err
	}
	s := &Server{config: p, port: port, commands: commands, secrets: secret.Sent(t.URL, t.Header)}
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
		cmd = process.Shell(ctx, s.fill(withExec(p.Line)))
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
	if err := s.awaitReady(ctx, t, time.Now().Add(limit)); err != nil {
		s.Kill()
		if ctx.Err() != nil { // its end killed the server
			err = fmt.Errorf("was not ready: %w", context.Cause(ctx))
		}
		return nil, fmt.Errorf("the server %w%s", err, s.FailureLine())
	}
	if own, err := strconv.Atoi(s.URL.Port()); err == nil {
		s.listener = s.Listener(own)
	}
	return s, nil
}

// awaitReady blocks until a handshake succeeds, or cannot succeed any more, or the limit has
// passed. Nothing announces that a server is ready, so awaitReady tries again at growing
// intervals of 10 to 100 ms.
func (s *Server) awaitReady(ctx context.Context, t *Target, limit time.Time) error {
	handshake := peers.Opened(
		peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	options := peers.Options{URL: s.URL, Header: t.Header, TLS: t.TLS, Patience: ProbePatience}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		options.Setup = max(time.Until(limit), time.Millisecond)
		try := peers.Run(ctx, handshake, options)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("was not ready: %w", context.Cause(ctx))
		case errors.Is(try.Failure, syscall.ENETUNREACH):
			return fmt.Errorf("cannot be reached: %w: bring the network up (the loopback: ip link set lo up)", try.Failure)
		case !try.Triggered && refusesForGood(try.Status):
			return fmt.Errorf("runs, but takes no WebSocket: %w", try.Failure)
		case try.Triggered:
			select {
			case <-s.Exited(): // another process answered
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

// refusesForGood tells whether a further try is pointless after a handshake that failed with
// this HTTP status (101: the server broke it). A server that is starting answers with 5xx,
// and some statuses ask for another try.
func refusesForGood(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusSwitchingProtocols, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return true
	}
	return status >= 200 && status < 500
}

// Stop asks the process to stop, by the signal or by StopExec. It does not wait for the end
// of the process; [Server.Exit] does.
func (s *Server) Stop(ctx context.Context) error {
	s.signalledShell.Store(s.config.Line != "" && s.AsStarted())
	if signal, ok := s.config.stopSignal().(syscall.Signal); ok && s.listener != nil {
		s.signalKillsWrapper.Store(s.listener.WrapperWouldDie(signal))
	}
	if s.config.StopExec != "" {
		return RunLine(s.commands, s.fill(s.config.StopExec), s.secrets)(ctx)
	}
	if err := s.Signal(s.config.stopSignal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
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

// SignalNotDelivered is the error that the stop signal did not reach the server.
type SignalNotDelivered string

// Error implements error.
func (e SignalNotDelivered) Error() string { return string(e) }

// CancelIfNotDelivered returns a context that is cancelled, with a [SignalNotDelivered] as its
// cause, when the stop signal ends a wrapper while the server runs on. The caller must call the
// function to release its resources.
func (s *Server) CancelIfNotDelivered(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-s.Exited():
			if err := s.wrapperDiedAlone(); err != nil {
				cancel(err)
			}
		}
	}()
	return ctx, cancel
}

// wrapperDiedAlone is called right after the started process has ended. It returns a
// [SignalNotDelivered] if that process was a shell or another wrapper, and the stop signal ended it
// while the server that it had started runs on. A server that the signal ends while its
// children run on was reached.
func (s *Server) wrapperDiedAlone() error {
	signal, name := s.EndedBy()
	if name == "" || s.config.StopExec == "" && signal != s.config.stopSignal() {
		return nil
	}
	wrapper := "the shell"
	switch {
	case s.signalledShell.Load():
		done, cancel := context.WithCancel(context.Background())
		cancel() // Gone looks once and does not wait
		if _, gone := s.Gone(done); gone {
			return nil
		}
	case s.signalKillsWrapper.Load() && s.listener.Runs():
		wrapper = fmt.Sprintf("%+q", s.listener.Wrapper)
	default:
		return nil
	}
	return SignalNotDelivered(name + " ended " + wrapper + " and never reached the server, which still runs: " +
		s.advice())
}

// signalStoppedAtWrapper is called when the patience is over. It returns a [SignalNotDelivered] if
// a wrapper did not pass the stop signal on: the signal would have ended the server, which
// still runs, or the wrapper has exited, and the server still listens.
func (s *Server) signalStoppedAtWrapper(wrapperExited bool) error {
	signal, ok := s.config.stopSignal().(syscall.Signal)
	if !ok || s.listener == nil || s.config.StopExec != "" {
		return nil
	}
	switch {
	case s.listener.WouldDie(signal):
		return SignalNotDelivered(fmt.Sprintf("%+q did not pass the signal (%s) on to the server, %+q, which still runs: %s",
			s.listener.Wrapper, signal, s.listener.Name, s.advice()))
	case wrapperExited && s.listener.Listens():
		const reason = "%+q ended, and the server, %+q, still listens: the signal (%s) did not reach it, or it ignores that: %s"
		return SignalNotDelivered(fmt.Sprintf(reason, s.listener.Wrapper, s.listener.Name, signal, s.advice()))
	}
	return nil
}

// advice tells the user how the stop signal reaches the server.
func (s *Server) advice() string {
	advice := "begin the last command of --exec with exec"
	if !s.signalledShell.Load() {
		advice = "begin the server's command with exec where it is started, or give that command itself to --exec"
	}
	if s.config.StopExec == "" {
		advice += ", or stop the server by --stop-exec"
	}
	return advice
}

// fill replaces {port} and {pid}; before the process is started, {pid} becomes empty.
func (s *Server) fill(line string) string {
	pid := ""
	if s.Server != nil {
		pid = strconv.Itoa(s.Pid)
	}
	return strings.NewReplacer("{port}", strconv.Itoa(s.port), "{pid}", pid).Replace(line)
}

// Written returns what the process wrote last, 16 KiB at most, without secrets.
func (s *Server) Written() string { return s.secrets.Mask(s.Output.String()) }

// causeWords are words that a line has that says why a server did not start.
var causeWords = regexp.MustCompile(`(?i)error|cannot|not found|refused|in use|panic|fatal|failed|denied|unavailable`)

// goPanic matches the line before a Go stack trace, whose lines may have causeWords too.
var goPanic = regexp.MustCompile(`^(panic|fatal error): `)

// FailureLine returns, for the end of an error message, the line of the output that says why
// the process failed: the last line that has causeWords, but none of a stack trace, or else
// the last line. It is empty if the process wrote nothing.
func (s *Server) FailureLine() string {
	lines := strings.Split(strings.TrimSpace(s.Written()), "\n")
	cause := lines[len(lines)-1]
	for _, line := range lines {
		if causeWords.MatchString(line) {
			cause = line
		}
		if goPanic.MatchString(line) {
			break
		}
	}
	if cause = strings.TrimSpace(cause); cause != "" {
		return fmt.Sprintf(": it wrote %+.200q", cause)
	}
	return ""
}

// Exit blocks until the process and all that it started have ended, and kills what still runs
// when the patience, which begins at the trigger, is over or ctx is done. The error is a
// [SignalNotDelivered].
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
		e.Killed = e.At >= patience // an exit this late is an effect of the peers' giving up
	default:
		e.At, e.Killed = time.Since(trigger), true
		e.Gone = e.At
	}
	var missed error
	if (e.Killed || e.Left) && time.Since(trigger) >= patience { // the wait was not interrupted
		missed = s.signalStoppedAtWrapper(e.Left)
	}
	s.Kill()
	e.Status, e.Words = s.Status()
	e.Output = s.Written()
	return e, missed
}

// CheckFiles returns an error of one line if the server may not open as many files as n peers
// need. It returns nil if the limit of the server is not known.
func (s *Server) CheckFiles(n int) error {
	open, limit, ok := s.Files()
	if need := open + uint64(n); ok && need > limit {
		const reason = "%d peers need %d open files in the server, its limit is %d: " +
			"raise it with ulimit -n %[2]d before the command"
		return fmt.Errorf(reason, n, need, limit)
	}
	return nil
}
