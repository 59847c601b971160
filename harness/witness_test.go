package harness_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// lingers is a server without the control contract that answers a Close, sends FIN, and closes its
// descriptor later.
func lingers(t *testing.T, hold time.Duration) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	serve := func(c *net.TCPConn) {
		defer c.Close()
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		for {
			frame, err := ws.ReadFrame(c)
			if err != nil {
				return
			}
			if frame.Header.OpCode == ws.OpClose {
				_ = ws.WriteFrame(c, ws.NewCloseFrame(nil))
				_ = c.CloseWrite()
				held := time.NewTimer(hold)
				<-held.C
				return
			}
		}
	}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serve(c.(*net.TCPConn)) })
		}
	})
	return &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}
}

// TestWitnessesWithoutEvents: a survey goes on although the peer that is judged has nothing more to
// wait for.
func TestWitnessesWithoutEvents(t *testing.T) {
	t.Parallel()
	const hold = 1500 * time.Millisecond
	target := &servers.Target{URL: lingers(t, hold), Profile: rules.Profile{CloseTimeout: 150 * time.Millisecond, Patience: 4 * time.Second}}
	list, err := scenarios.Selection{Only: []string{"linger/no-fin"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	batch, err := harness.Start(t.Context(), target, list, harness.Options{Witness: harness.WitnessProbes})
	if err != nil {
		t.Fatal(err)
	}
	r := batch.Wait().Results[0]
	held := r.Record.Socket.Held
	if r.Verdict != harness.Fail || r.Record.Socket.By != evidence.Probes || held.Censored ||
		held.Until-held.Bound > hold || held.Until-held.Bound < hold/2 || held.Until < hold {
		t.Errorf("%s, %+v", r.Verdict, r.Record.Socket)
	}
}

// needsElsewhere is a step that this system cannot do.
type needsElsewhere struct{}

func (needsElsewhere) Do(context.Context, *peers.Peer) error {
	return fmt.Errorf("choose the receive buffer: %w here", errors.ErrUnsupported)
}

func (needsElsewhere) String() string { return "need another system" }

// TestUnsupported: what this system cannot do is no error of a scenario.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	s := &harness.Scenario{
		ID: "linger/elsewhere", Script: peers.Opened(needsElsewhere{}, peers.Trigger{}), Rules: []rules.Rule{rules.Answered},
	}
	target := &servers.Target{URL: lingers(t, 0), Profile: profile}
	batch, err := harness.Start(t.Context(), target, []*harness.Scenario{s}, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := batch.Wait().Results[0]
	if r.Verdict != harness.Skip || !slices.Contains(r.Missing, evidence.Platform) || !strings.Contains(r.Err, "receive buffer") {
		t.Errorf("%s %v %q", r.Verdict, r.Missing, r.Err)
	}
}
