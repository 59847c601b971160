package crowds_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/internal/hostile"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// crowdServer starts a reference server; stop stops it.
func crowdServer(t *testing.T, o reference.Options) (target *servers.Target, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- reference.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &servers.Target{
		URL:     &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"},
		Profile: rules.Profile{Patience: 3 * time.Second},
	}, cancel
}

// TestCrowd: the close code that each kind of peer receives, how it sees TCP end, and when
// the server releases its socket.
func TestCrowd(t *testing.T) {
	// The ping interval is long enough that the server resets nobody before the trigger, which
	// comes some 0.5 s after the first connection was open.
	const each, timeout, ping = 5, time.Second, time.Second
	type want struct {
		code     int // 0: no Close frame
		ending   peers.Ending
		from, to time.Duration // when the socket is released
	}
	soon, late := 100*time.Millisecond, timeout+400*time.Millisecond
	for _, test := range []struct {
		then crowds.End
		ping time.Duration
		want map[peers.Kind]want
	}{
		{crowds.PeersClose, ping, map[peers.Kind]want{
			peers.Polite:       {1000, peers.FIN, 0, soon},
			peers.Ignores:      {1000, peers.FIN, timeout, late},
			peers.NoFIN:        {1000, peers.FIN, timeout, late},
			peers.Vanishes:     {0, peers.Unseen, ping / 4, 2*ping + late},
			peers.StopsReading: {0, peers.RST, 0, late},
			peers.Resets:       {0, peers.Unseen, 0, soon},
		}},
		{crowds.ServerKicks, -1, map[peers.Kind]want{
			peers.Polite:       {4001, peers.FIN, 0, soon},
			peers.Ignores:      {4001, peers.FIN, timeout, late},
			peers.NoFIN:        {4001, peers.FIN, timeout, late},
			peers.Vanishes:     {0, peers.Unseen, timeout, late},
			peers.StopsReading: {0, peers.RST, 0, late},
			peers.Resets:       {4001, peers.Unseen, 0, soon},
		}},
	} {
		t.Run(string(test.then), func(t *testing.T) {
			target, _ := crowdServer(t, reference.Options{CloseTimeout: timeout, PingInterval: test.ping})
			opened := 0
			o := crowds.Options{Then: test.then, Hold: 50 * time.Millisecond}
			o.Progress = func(n, failed int) { opened = n }
			for _, kind := range peers.Kinds {
				o.Peers = append(o.Peers, slices.Repeat([]peers.Kind{kind}, each)...)
			}
			run, err := crowds.Hold(t.Context(), target, o)
			if err != nil {
				t.Fatal(err)
			}
			if opened != len(o.Peers) || len(run.Members) != len(o.Peers) || !run.Observed || run.Stopped != "" {
				t.Fatalf("%d open, %d members, observed %t, stopped %q",
					opened, len(run.Members), run.Observed, run.Stopped)
			}
			for _, m := range run.Members {
				want := test.want[m.Kind]
				ending, at := m.Ending()
				released := m.Released - m.Trigger
				inTime := m.Released > 0 && released >= want.from-m.Bound && released <= want.to
				if m.Err != "" || m.EndedEarly || m.Code != want.code || ending != want.ending || !inTime {
					t.Errorf("%s: error %q, ended early %t, code %d, %s at %s, released at %s; want %+v",
						m.Kind, m.Err, m.EndedEarly, m.Code, ending, at, released, want)
				}
			}
		})
	}
}

// TestCrowdThatCannotBe: one line says why.
func TestCrowdThatCannotBe(t *testing.T) {
	target, _ := crowdServer(t, reference.Options{})
	silent := *target
	silent.URL = &url.URL{Scheme: "ws", Host: "127.0.0.1:1", Path: "/"}
	for _, test := range []struct {
		target *servers.Target
		peers  int
		then   crowds.End
		want   string
	}{
		{&silent, 1, crowds.PeersClose, "connection refused"},
		{target, 100_000_000, crowds.PeersClose, "peers need"},
	} {
		o := crowds.Options{Peers: make([]peers.Kind, test.peers), Then: test.then}
		_, err := crowds.Hold(t.Context(), test.target, o)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q", err, test.want)
		}
	}
}

// TestCrowdEndsEarly: the run of a crowd has what was measured, if the server ended all
// connections before the trigger, or the context was cancelled.
func TestCrowdEndsEarly(t *testing.T) {
	t.Run("lost", func(t *testing.T) {
		target, stop := crowdServer(t, reference.Options{})
		polite := slices.Repeat([]peers.Kind{peers.Polite}, 10)
		o := crowds.Options{Peers: polite, Then: crowds.PeersClose, Hold: 500 * time.Millisecond}
		o.Progress = func(opened, _ int) {
			if opened == 10 {
				stop()
			}
		}
		run, err := crowds.Hold(t.Context(), target, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range run.Members {
			if !m.EndedEarly || m.Code != 1001 {
				t.Errorf("lost %t, code %d", m.EndedEarly, m.Code)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		target, _ := crowdServer(t, reference.Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		ignoring := slices.Repeat([]peers.Kind{peers.Ignores}, 10)
		o := crowds.Options{Peers: ignoring, Then: crowds.PeersClose, Hold: time.Minute}
		o.Progress = func(opened, _ int) {
			if opened == 10 {
				cancel(fmt.Errorf("that will do"))
			}
		}
		run, err := crowds.Hold(ctx, target, o)
		if err != nil || run.Stopped != "that will do" || len(run.Members) != 10 {
			t.Fatalf("%+v, error %v", run, err)
		}
	})
}

// TestCrowdHostile: whatever a server does, a crowd ends on time.
func TestCrowdHostile(t *testing.T) {
	var flooded sync.Mutex // one flood at a time: it loads every core
	for _, m := range hostile.All() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(m.Name, "endless") {
				flooded.Lock()
				defer flooded.Unlock()
			}
			s, err := hostile.Start(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			u, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			target := &servers.Target{
				URL:     &url.URL{Scheme: "ws", Host: u.Host, Path: "/"},
				Profile: rules.Profile{CloseTimeout: time.Second, Patience: time.Second},
			}
			began := time.Now()
			o := crowds.Options{Peers: slices.Repeat(peers.Kinds, 4), Then: crowds.PeersClose}
			run, err := crowds.Hold(t.Context(), target, o)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if err == nil && len(run.Members) != 4*len(peers.Kinds) {
				t.Errorf("%d members", len(run.Members))
			}
			if err == nil {
				reports.CrowdText(io.Discard, reports.NewCrowd(run), reports.TerminalOptions{Width: 80})
			}
		})
	}
}
