package harness_test

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// TestUnobserved: where nobody observes the server's sockets, and the wire is not asked, a right
// server fails in no scenario, and passes none of which a rule that it exists for was not
// measured. What was judged is reported.
func TestUnobserved(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	options := reference.Options{
		CloseTimeout: 500 * time.Millisecond, PingInterval: 200 * time.Millisecond, HandshakeTimeout: 600 * time.Millisecond,
	}
	go func() { served <- reference.Serve(ctx, l, options) }()
	t.Cleanup(func() { cancel(); <-served })
	profile := profile
	profile.PingInterval = options.PingInterval
	target := &servers.Target{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}, Profile: profile}
	batch, err := harness.StartUnobserved(t.Context(), target, scenarios.All(), harness.Options{Witness: harness.WitnessKernel})
	if err != nil {
		t.Fatal(err)
	}
	passed, unmeasured := 0, map[string]bool{} // the rules that an asking scenario could not measure
	for _, r := range batch.Wait().Results {
		kept := false
		for _, f := range r.Findings {
			switch asked := slices.Contains(r.Scenario.Asks, f.Rule.ID); {
			case f.Outcome == rules.Breached:
				t.Errorf("%s: %s: want %s; got %s", r.Scenario.ID, f.Rule.ID, f.Want, f.Got)
			case asked && f.Outcome == rules.Unmeasured:
				unmeasured[f.Rule.ID] = true
				if r.Verdict != harness.Skip || !slices.Contains(r.Missing, f.Missing) {
					t.Errorf("%s: %s, missing %q, though %s was not measured: %s", r.Scenario.ID, r.Verdict, r.Missing, f.Rule.ID, f.Got)
				}
			}
			kept = kept || f.Outcome == rules.Kept && slices.Contains(r.Scenario.Asks, f.Rule.ID)
		}
		switch {
		case r.Verdict == harness.Errored:
			t.Errorf("%s: %s", r.Scenario.ID, r.Err)
		case r.Verdict == harness.Pass && !kept:
			t.Errorf("%s passed, and no rule that it exists for is kept", r.Scenario.ID)
		case r.Verdict == harness.Pass:
			passed++
		case r.Verdict == harness.Skip && slices.Contains(r.Missing, evidence.Local) && len(r.Findings) == 0:
			t.Errorf("%s was skipped without a finding", r.Scenario.ID)
		}
	}
	if passed == 0 {
		t.Error("no scenario passed")
	}
	for _, rule := range []rules.Rule{rules.LetsGoAfterClose, rules.LetsGoAfterViolation, rules.LetsGoAfterTCPEnd, rules.BoundedWait,
		rules.NotProlonged, rules.NotBlocked, rules.Terminated, rules.LetsGoOfVanished} {
		if !unmeasured[rule.ID] {
			t.Errorf("every scenario that exists for %s measured it", rule.ID)
		}
	}
}

// TestUnseenAdvice: where the server's sockets are not observed, a note says what can observe them,
// unless the user has said who is to tell.
func TestUnseenAdvice(t *testing.T) {
	list, err := scenarios.Selection{Only: []string{"sanity/close"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		witness harness.WitnessMode
		pid     int
		advised bool
	}{
		"nothing chosen":   {harness.WitnessAuto, 0, true},
		"the wire alone":   {harness.WitnessProbes, 0, false},
		"another's kernel": {harness.WitnessAuto, 1, false},
	} {
		target := &servers.Target{URL: serveURL(t, "no-echo"), Profile: profile, ServerPID: tt.pid}
		batch, err := harness.StartUnobserved(t.Context(), target, list, harness.Options{Witness: tt.witness})
		if err != nil {
			t.Fatal(name, err)
		}
		notes := strings.Join(batch.Wait().Notes, "\n")
		if strings.Contains(notes, "not observed: nobody looks; --server-pid or --observe-exec can observe them there") != tt.advised {
			t.Errorf("%s: %q", name, notes)
		}
	}
}
