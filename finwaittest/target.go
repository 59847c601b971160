package finwaittest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// target returns how finwait reaches the server. The port of a Handler is not known yet.
func (s Server) target() (*servers.Target, error) {
	given := 0
	for _, is := range []bool{s.URL != "" && s.Exec == "", s.Handler != nil, s.Exec != "", s.Start != nil} {
		if is {
			given++
		}
	}
	here := s.URL != "" && s.Exec == "" || s.Handler != nil
	hooks := s.hooks()
	switch {
	case given != 1:
		return nil, errors.New("which server? give exactly one of URL, Handler, Exec and Start")
	case s.URL != "" && s.Path != "":
		return nil, errors.New("the Path is part of the URL: give it there")
	case s.Path != "" && !strings.HasPrefix(s.Path, "/"):
		return nil, fmt.Errorf("the Path %q has no slash in front: give one such as /socket", s.Path)
	case !here && (hooks.Close != nil || hooks.Terminate != nil || hooks.KickAll != nil || hooks.Events != nil):
		return nil, errors.New("the functions Close, Terminate, KickAll and Events reach no server in a process of its own: " +
			"give it by URL or Handler, or let it obey the control contract")
	case here && (s.StopSignal != nil || s.ReadyTimeout != 0):
		return nil, errors.New("StopSignal and ReadyTimeout are for servers that are started, by Exec or Start")
	case s.Handler != nil && s.StopExec != "":
		return nil, errors.New("StopExec cannot stop a Handler, which is no process: give Start")
	}
	raw := s.URL
	if raw == "" {
		raw = "ws://" + servers.Loopback() + cmp.Or(s.Path, "/")
	}
	parse := servers.ParseTemplate
	if here && s.URL != "" {
		parse = servers.ParseURL
	}
	u, err := parse(raw)
	if err != nil {
		return nil, err
	}
	t := &servers.Target{URL: u, Header: s.Header, TLS: s.TLS, Profile: s.profile(), Hooks: hooks,
		CloseExec: s.CloseExec, KickExec: s.KickExec}
	var own []string // the placeholders that a started server adds
	switch {
	case here:
		t.StopExec = s.StopExec
	case s.Exec != "" && !servers.HasPort(raw):
		return nil, fmt.Errorf("with Exec the URL names the server's port as {port}: give one such as ws://127.0.0.1:{port}/")
	default:
		own = []string{"{port}", "{pid}"}
		t.Process = &servers.Process{Line: s.Exec, Ready: s.ReadyTimeout, StopSignal: s.StopSignal, StopExec: s.StopExec}
	}
	closes := append([]string{"{token}", "{code}", "{reason}"}, own...)
	return t, cmp.Or(placeholders("CloseExec", s.CloseExec, closes), placeholders("KickExec", s.KickExec, closes),
		placeholders("StopExec", s.StopExec, own))
}

func (s Server) profile() rules.Profile {
	return rules.Profile{
		CloseTimeout: s.CloseTimeout, Response: s.Response, StopTimeout: s.StopTimeout, Patience: s.Patience, PingInterval: s.PingInterval,
		ShutdownCodes: s.ShutdownCodes, Orphans: s.Orphans, Strict: s.Strict,
		NoCode: s.EventNoCode, LostCode: s.EventLostCode, KillUntold: s.EventKillUntold,
	}
}

// placeholders checks the placeholders of a command line.
func placeholders(field, line string, known []string) error {
	if err := servers.CheckPlaceholders(line, known...); err != nil {
		return fmt.Errorf("%s %w", field, err)
	}
	return nil
}

func (s Server) hooks() servers.Hooks {
	return servers.Hooks{Close: s.Close, Terminate: s.Terminate, KickAll: s.KickAll, Events: s.Events}
}

// serveHandler serves the handler until the test has ended, and returns its address.
func serveHandler(t *testing.T, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", strings.Replace(servers.Loopback(), "{port}", "0", 1))
	if err != nil {
		return "", fmt.Errorf("serve the handler: %w", err)
	}
	server, ended := &http.Server{Handler: h}, make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return l.Addr().String(), nil
}
