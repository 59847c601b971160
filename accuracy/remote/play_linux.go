package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/lab"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/reports"
)

const (
	readyLimit = 30 * time.Second // for the server's start
	runLimit   = 5 * time.Minute  // for one run of the catalogue
)

// play starts the target in a namespace of its own, and runs the catalogue against it in that
// namespace and then from another one.
func play(ctx context.Context, t *target, o options) (beside, across *run, err error) {
	l, err := lab.Open(lab.Options{
		Loopback: true, Wire: o.link.inUserSpace(), NAT: o.link.natIdle > 0, NATIdle: o.link.natIdle,
	})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if l.ToServer != nil {
		l.ToServer.Set(lab.Conditions{Delay: o.link.delay, Loss: o.link.loss})
		l.ToClient.Set(lab.Conditions{Delay: o.link.delay, Loss: o.link.loss, DropRST: o.link.dropRST})
	}
	server, err := start(ctx, l.Server, t, o)
	if err != nil {
		return nil, nil, err
	}
	defer func() { server.Kill() }()
	if beside, err = catalogue(ctx, l.Server, t.url, t, o, "beside"); err != nil {
		return nil, nil, err
	}
	if t.restart {
		server.Kill()
		if server, err = start(ctx, l.Server, t, o); err != nil {
			return nil, nil, err
		}
	}
	select {
	case <-server.Exited():
		_, words := server.Status()
		return nil, nil, fmt.Errorf("the server ended (%s): %s", words, lastLine(server.Output.String()))
	default:
	}
	url := t.url
	if o.link.relay {
		listener, failed := l.Server.Listen(netip.AddrPortFrom(lab.ServerIP4, 0).String())
		if failed != nil {
			return nil, nil, failed
		}
		url = strings.ReplaceAll(url, address, listener.Addr().String())
		relay := lab.StartRelay(listener, func() (net.Conn, error) { return l.Server.Dial(address, readyLimit) })
		defer func() { err = errors.Join(err, relay.Close()) }()
	}
	across, err = catalogue(ctx, l.Client, url, t, o, "across")
	return beside, across, err
}

// start starts the target's server, and returns when it accepts connections.
func start(ctx context.Context, n *lab.Namespace, t *target, o options) (server *process.Server, err error) {
	args := make([]string, len(t.args))
	for i, arg := range t.args {
		args[i] = strings.ReplaceAll(arg, "{finwait}", o.finwait)
	}
	cmd := process.Command(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), "PORT="+port)
	err = n.Do(func() error {
		server, err = process.Start(cmd)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the server could not be started: %w: run finwait matrix install", err)
	}
	limit := time.Now().Add(readyLimit)
	// Nothing announces that a server is ready, so this tries at growing intervals.
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		conn, err := n.Dial(address, readyLimit)
		if err == nil {
			return server, conn.Close()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-server.Exited():
			limit = time.Time{}
		case <-ctx.Done():
			limit = time.Time{}
		}
		if timer.Stop(); time.Now().After(limit) {
			server.Kill()
			return nil, fmt.Errorf("the server was not ready: %w: %s", err, lastLine(server.Output.String()))
		}
	}
}

// catalogue runs finwait in a namespace against the target at a URL, and reads its report.
func catalogue(ctx context.Context, n *lab.Namespace, url string, t *target, o options, place string) (*run, error) {
	file, err := filepath.Abs(filepath.Join(o.reports, strings.ReplaceAll(t.name, "/", "-")+"."+place+".json"))
	if err != nil {
		return nil, err
	}
	args := append([]string{"run", url, "--json", file}, t.flags...)
	for _, pattern := range o.only {
		args = append(args, "--only", pattern)
	}
	for _, pattern := range o.skip {
		args = append(args, "--skip", pattern)
	}
	args = append(args, o.flags...)
	if place == "across" {
		args = append(args, o.extra...)
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := process.Command(ctx, o.finwait, args...)
	cmd.Dir = filepath.Dir(o.finwait) // where no finwait.yaml is expected
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	if err := n.Start(cmd); err != nil {
		return nil, err
	}
	err = cmd.Wait()
	out := &run{wall: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("%s: finwait %s: %w: %s", place, strings.Join(args, " "), err, lastLine(stderr.String()))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out.Report, err = reports.ReadJSON(f)
	return out, err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
