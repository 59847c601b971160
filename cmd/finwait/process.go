package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/servers"
)

// processFlags are the flags that say how the server is started and stopped.
type processFlags struct {
	line, stopExec string
	args           []string // program and arguments, used instead of line
	signal         string
	ready          time.Duration
}

func (p *processFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.line, "exec", "", "start the server by this shell `command`; {port} is a free port, also in $PORT. A "+
		"simple command gets the stop signal itself; in any other, begin the last command with exec")
	limitVar(f, &p.ready, "ready-timeout", flags.Shortest, 30*time.Second, "how long it may take until a handshake succeeds")
	f.StringVar(&p.signal, "stop-signal", "TERM", "the `signal` that stops the server: TERM, INT, HUP or QUIT")
	f.StringVar(&p.stopExec, "stop-exec", "", "stop the server by this shell `command` instead of a signal; {port} and {pid} are filled in")
}

// embedded sets the command that starts this program's own reference server.
func (p *processFlags) embedded() error {
	program, err := os.Executable()
	if err != nil { // on Linux: /proc is not mounted, see proc(5)
		return fmt.Errorf("the embedded server cannot be started: finwait does not find its own program (%w): mount "+
			"/proc, or give --exec 'finwait serve --listen 127.0.0.1:{port}'", err)
	}
	p.args = []string{program, "serve", "--listen", servers.Loopback(), "--ping-interval", embeddedPing.String()}
	return nil
}

// signals are the signals that can stop a server, by name.
var signals = map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT}

// stopSignal parses the name of a signal, with or without SIG.
func stopSignal(name string) (os.Signal, error) {
	signal, known := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]
	if !known {
		return nil, fmt.Errorf("%.40q is none of TERM, INT, HUP, QUIT", name)
	}
	return signal, nil
}

// placeholders checks the placeholders in the command lines.
func (p *processFlags) placeholders(t *targetFlags) error {
	var own []string // the placeholders that a server adds that finwait starts
	if p.line != "" || p.args != nil {
		own = []string{"{port}", "{pid}"}
	}
	closes := append([]string{"{token}", "{code}", "{reason}"}, own...)
	for _, c := range []struct {
		flag, line string
		known      []string
	}{{"close-exec", t.closeExec, closes}, {"kick-exec", t.kickExec, closes}, {"stop-exec", p.stopExec, own}} {
		if err := servers.CheckPlaceholders(c.line, c.known...); err != nil {
			return fmt.Errorf("--%s %w", c.flag, err)
		}
	}
	return nil
}

// target checks the flags and the URL, and returns the target.
func (p *processFlags) target(t *targetFlags, raw string) (*servers.Target, error) {
	if err := p.placeholders(t); err != nil {
		return nil, err
	}
	if p.line == "" && p.args == nil {
		if servers.HasPort(raw) {
			return nil, errors.New("the URL has {port}, which only --exec fills in")
		}
		target, err := t.target(raw)
		if err == nil {
			target.StopExec = p.stopExec
		}
		return target, err
	}
	signal, err := stopSignal(p.signal)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--stop-signal %w", err)
	case !servers.HasPort(raw):
		return nil, fmt.Errorf("with --exec the URL names the server's port as {port}: give one such as ws://127.0.0.1:{port}/")
	}
	u, err := servers.ParseTemplate(raw)
	if err != nil {
		return nil, err
	}
	target, err := t.targetAt(u)
	if err != nil {
		return nil, err
	}
	target.Process = &servers.Process{Line: p.line, Args: p.args, Ready: p.ready, StopSignal: signal, StopExec: p.stopExec}
	return target, nil
}
