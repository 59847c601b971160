package main

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/matrix"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/rules"
)

// address is where every server listens: each has a network namespace of its own.
const (
	port    = "9001"
	address = "127.0.0.1:" + port
)

// target is a server and how finwait runs against it.
type target struct {
	name  string
	args  []string          // its command; {finwait} is the binary
	dir   string            // the working directory; empty: that of this process
	url   string            // in its namespace, and across the link too
	flags []string          // of finwait run: its limits and conventions
	races map[string]string // by scenario: why its verdict is not steady

	restart bool // each run has a process of its own, because a fault may leave something behind
}

// load makes the targets that are named on the command line.
func load(names []string) (out []*target, err error) {
	for _, name := range names {
		fault, isReference := strings.CutPrefix(name, "reference")
		switch {
		case !isReference || fault != "" && fault[0] != '/':
			loaded, err := matrix.Load(name)
			if err != nil {
				return nil, err
			}
			t, err := folder(loaded[0])
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		case fault == "/all":
			for _, f := range reference.Faults() {
				out = append(out, referenceServer(f.Name))
			}
		default:
			out = append(out, referenceServer(strings.TrimPrefix(fault, "/")))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no target: give folders such as targets/ws-8, or reference, reference/never-fin or reference/all")
	}
	return out, nil
}

// folder is the server of a folder with a target.yaml.
func folder(t *matrix.Target) (*target, error) {
	server, err := t.Server(rules.Profile{})
	if err != nil {
		return nil, err
	}
	server.URL.Host = address
	out := &target{
		name: t.Name, args: server.Process.Args, dir: server.Process.Dir, url: server.URL.String(), races: t.Races,
	}
	if t.TLS {
		out.flags = append(out.flags, "--insecure")
	}
	if t.CloseTimeout != 0 {
		out.flags = append(out.flags, "--close-timeout", t.CloseTimeout.String())
	}
	if t.PingInterval != 0 {
		out.flags = append(out.flags, "--ping-interval", t.PingInterval.String())
	}
	for name, code := range map[string]yaml.Node{"no": t.Conventions.NoCode, "lost": t.Conventions.LostCode} {
		if code.Kind != 0 {
			out.flags = append(out.flags, "--event-"+name+"-code", code.Value)
		}
	}
	if t.Conventions.Kill != "" {
		out.flags = append(out.flags, "--event-kill-untold")
	}
	for _, pattern := range t.Only {
		out.flags = append(out.flags, "--only", pattern)
	}
	for _, id := range t.Alone { // it would kill the server
		out.flags = append(out.flags, "--skip", id)
	}
	return out, nil
}

// referenceServer is the reference server with a fault, or without one where it is empty.
// Its limits are those of finwait run, and patience is as long as they need. Its pings are so far
// apart that no peer misses two of them while a crowd gathers. How long it fills the send buffer of
// a peer that stops reading depends on the buffer, which is another one on loopback.
func referenceServer(fault string) *target {
	t := &target{
		name: "reference", url: "ws://" + address + "/",
		args:    []string{"{finwait}", "serve", "--listen", address, "--ping-interval", "2s"},
		restart: true, flags: []string{"--close-timeout", "2s", "--ping-interval", "2s", "--patience", "8s",
			"--skip", "server-close/stops-reading"},
	}
	if fault != "" {
		t.name += "/" + fault
		t.args = append(t.args, "--fault", fault)
	}
	return t
}
