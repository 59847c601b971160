package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
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
func play(ctx context.Context, t *target, o options) (beside, across *reports.Report, err error) {
	l, err := lab.Open(lab.Options{Loopback: true})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	server, err := start(ctx, l.Server, t, o)
	if err != nil {
		return nil, nil, err
	}
	defer server.Kill()
	if beside, err = catalogue(ctx, l.Server, t, o, "beside"); err != nil {
		return nil, nil, err
	}
	select {
	case <-server.Exited():
		_, words := server.Status()
		return nil, nil, fmt.Errorf("the server ended (%s): %s", words, lastLine(server.Output.String()))
	default:
	}
	across, err = catalogue(ctx, l.Client, t, o, "across")
	return beside, across, err
}

// start starts the target's server, and returns when it accepts connections.
func start(ctx context.Context, n *lab.Namespace, t *target, o options) (server *process.Server, err error) {
	args := make([]string, len(t.args))
	for i, arg := range t.args {
		args[i] = strings.ReplaceAll(strings.ReplaceAll(arg, "{finwait}", o.finwait), "{port}", port)
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
		var conn net.Conn
		err = n.Do(func() error {
			conn, err = (&net.Dialer{Deadline: limit}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
			return err
		})
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

// catalogue runs finwait against the target in a namespace, and reads its report.
func catalogue(ctx context.Context, n *lab.Namespace, t *target, o options, place string) (*reports.Report, error) {
	file, err := filepath.Abs(filepath.Join(o.reports, strings.ReplaceAll(t.name, "/", "-")+"."+place+".json"))
	if err != nil {
		return nil, err
	}
	args := append([]string{"run", t.url, "--json", file}, t.flags...)
	for _, pattern := range o.only {
		args = append(args, "--only", pattern)
	}
	for _, pattern := range o.skip {
		args = append(args, "--skip", pattern)
	}
	if place == "across" {
		args = append(args, o.extra...)
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := process.Command(ctx, o.finwait, args...)
	cmd.Dir = filepath.Dir(o.finwait) // where no finwait.yaml is expected
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := n.Start(cmd); err != nil {
		return nil, err
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return nil, fmt.Errorf("%s: finwait %s: %w: %s", place, strings.Join(args, " "), err, lastLine(stderr.String()))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return reports.ReadJSON(f)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
