package harness_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// setFiles changes how many files this process may open.
func setFiles(t *testing.T, n uint64) (before uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	before, limit.Cur = limit.Cur, n
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return before
}

// TestCapacity: a run that this host has not the files for does not begin.
func TestCapacity(t *testing.T) {
	target := &servers.Target{URL: serveURL(t, "no-handshake"), Profile: profile}
	before := setFiles(t, 64)
	_, err := harness.Start(t.Context(), target, scenarios.All(), harness.Options{})
	setFiles(t, before)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(),
		"open files, the limit is 64: raise it with ulimit -n") {
		t.Errorf("%v", err)
	}
}

// TestCapacityOfRepeats: plays that wait for a server of their own need nothing yet.
func TestCapacityOfRepeats(t *testing.T) {
	list, err := scenarios.Selection{Only: []string{"kick/one-of-50"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	target := &servers.Target{
		URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:{port}"}, Profile: profile, Process: &servers.Process{Args: []string{"false"}},
	}
	before := setFiles(t, 1024)
	_, err = harness.Start(t.Context(), target, list, harness.Options{Repeat: 100})
	setFiles(t, before)
	if err == nil || !strings.Contains(err.Error(), "ended before it was ready") {
		t.Errorf("%v", err)
	}
}

// limitFiles is a step that lets this process open no more files.
type limitFiles struct{ t *testing.T }

func (s limitFiles) Do(context.Context, *peers.Peer) error { setFiles(s.t, 0); return nil }
func (limitFiles) String() string                          { return "open no more files" }

// TestShortageIsNoDeath: a probe that finwait has no descriptor for says nothing
// about the server.
func TestShortageIsNoDeath(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = reference.Serve(t.Context(), l, reference.Options{}) }()
	target := &servers.Target{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}, Profile: profile}
	s := &harness.Scenario{ID: "test/short", Title: "there are no more descriptors", Script: peers.Opened(
		peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{}, limitFiles{t})}
	before := setFiles(t, 4096)
	batch, err := harness.Start(t.Context(), target, []*harness.Scenario{s}, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := batch.Wait()
	setFiles(t, before)
	r := run.Results[0]
	if run.Stopped != "" || r.Verdict != harness.Errored || !strings.Contains(r.Err,
		"too many open files, on finwait's side and not the server's") || r.Record.Alive.Tried {
		t.Errorf("stopped %q, %s %q", run.Stopped, r.Verdict, r.Err)
	}
}
