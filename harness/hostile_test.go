package harness_test

import (
	"bytes"
	"context"
	"crypto/tls"
	encodingjson "encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/hostile"
	"github.com/finwait/finwait/internal/quiet"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// TestMain lets the tests wait side by side.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(machine.Tests(m))
}

var machine quiet.Machine

var profile = rules.Profile{CloseTimeout: 800 * time.Millisecond, Response: 300 * time.Millisecond,
	Patience: 2500 * time.Millisecond}

// serve runs the hostile server until the test ends.
func serve(t *testing.T, name string) (address string) { return serveURL(t, name).Host }

func serveURL(t *testing.T, name string) *url.URL {
	t.Helper()
	s, err := hostile.Start(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func start(ctx context.Context, address string, list []*harness.Scenario) (*harness.Batch, error) {
	return startAt(ctx, &url.URL{Scheme: "ws", Host: address, Path: "/"}, list)
}

func startAt(ctx context.Context, u *url.URL, list []*harness.Scenario) (*harness.Batch, error) {
	target := &servers.Target{URL: u, TLS: &tls.Config{InsecureSkipVerify: true}, Profile: profile}
	return harness.Start(ctx, target, list, harness.Options{})
}

// A run may take this long at most: ten seconds until the trigger, the patience
// after it, a probe, and a second one that finds the target dead.
var longest = slower * (10*time.Second + profile.Patience + 2*(profile.CloseTimeout+profile.Response) + time.Second)

// brokenTLS is what a run says of a server whose TLS goes wrong.
var brokenTLS = map[string]string{
	"tls-no-handshake":       "the TLS handshake has no end after 10s",
	"tls-no-handshake-later": "the TLS handshake has no end after 800ms",
	"tls-drip":               "the TLS handshake has no end after 10s",
	"tls-garbage":            "first record does not look like a TLS handshake",
	"tls-garbage-later":      "the server broke TLS",
}

// Whatever a server does, the run of the whole catalogue ends on time, every
// scenario has a result, and the reports are whole.
func TestHostileServers(t *testing.T) {
	type outcome struct {
		run  *harness.Run
		err  error
		took time.Duration
	}
	outcomes := map[string]*outcome{}
	play := func(u *url.URL, o *outcome) {
		began := time.Now()
		batch, err := startAt(t.Context(), u, scenarios.All())
		if o.err = err; err == nil {
			o.run = batch.Wait()
		}
		o.took = time.Since(began)
	}
	var running sync.WaitGroup
	gate := make(chan struct{}, 4)
	var alone []func() // they load every core, or are known by an answer within the response limit
	for _, m := range hostile.All() {
		o := new(outcome)
		outcomes[m.Name] = o
		if strings.Contains(m.Name, "endless") || brokenTLS[m.Name] != "" && m.Polite > 0 {
			alone = append(alone, func() {
				play(serveURL(t, m.Name), o)
				if o.took > longest { // what else runs on the machine delays a flooded run: the second one counts
					t.Logf("%s took %s, and is played again", m.Name, o.took)
					play(serveURL(t, m.Name), o)
				}
			})
			continue
		}
		u := serveURL(t, m.Name)
		gate <- struct{}{}
		running.Go(func() {
			defer func() { <-gate }()
			play(u, o)
		})
	}
	running.Wait()
	done := machine.Alone(t) // what sends as fast as TCP takes it loads every core
	for _, play := range alone {
		play()
	}
	done()
	for _, m := range hostile.All() {
		t.Run(m.Name, func(t *testing.T) {
			o := outcomes[m.Name]
			t.Log(o.took, o.err)
			if o.took > longest {
				t.Errorf("took %s", o.took)
			}
			if o.err != nil {
				if m.Polite > 0 || reports.OneLine(o.err.Error()) != o.err.Error() || !strings.Contains(o.err.Error(), brokenTLS[m.Name]) {
					t.Errorf("%q", o.err)
				}
				return
			}
			t.Log(o.run.Count(), o.run.Stopped)
			complete(t, o.run)
			whole(t, o.run)
			if !strings.Contains(o.run.Stopped, brokenTLS[m.Name]) {
				t.Errorf("stopped: %q", o.run.Stopped)
			}
			if strings.HasPrefix(m.Name, "dies-") || m.Name == "stops-accepting" {
				gone(t, o.run)
			}
		})
	}
}

// complete checks that every scenario has a result, and that what is kept of
// the server's words is bounded.
func complete(t *testing.T, run *harness.Run) {
	t.Helper()
	known := []harness.Verdict{harness.Pass, harness.Fail, harness.Warn, harness.Info, harness.Skip, harness.Errored}
	for i, s := range scenarios.All() {
		r := run.Results[i]
		if r == nil || r.Scenario.ID != s.ID || !slices.Contains(known, r.Verdict) ||
			r.Verdict == harness.Errored && r.Err == "" ||
			r.Verdict != harness.Errored && r.Verdict != harness.Skip && r.Err != "" {
			t.Fatalf("%s: the result is %+v", s.ID, r)
		}
		if k := r.Record; k != nil && (len(k.Trace) > 512+64 || len(k.Messages) > 64+8 || len(k.Closes) > 256 || len(k.Malformed) > 16) {
			t.Errorf("%s kept %d events, %d messages, %d Close frames, %d malformed", s.ID, len(k.Trace),
				len(k.Messages), len(k.Closes), len(k.Malformed))
		}
	}
}

// whole checks that every report can be written, is well-formed, and shows
// nothing that breaks it.
func whole(t *testing.T, run *harness.Run) {
	t.Helper()
	var terminal, junit, json bytes.Buffer
	show := reports.NewTerminal(&terminal, reports.TerminalOptions{Width: 100, Verbose: true})
	show.Begin(run.Target, len(run.Results), run.Notes...)
	for _, r := range run.Results {
		show.Result(reports.NewScenario(r))
	}
	report := reports.New(run)
	show.End(report)
	if err := errors.Join(reports.JUnit(&junit, report, false), reports.JSON(&json, report)); err != nil {
		t.Error(err)
	}
	if err := xml.Unmarshal(junit.Bytes(), new(struct{})); err != nil {
		t.Errorf("JUnit: %v", err)
	}
	if !encodingjson.Valid(json.Bytes()) {
		t.Error("the JSON report is not JSON")
	}
	for name, text := range map[string]string{"terminal": terminal.String(), "JUnit": junit.String(),
		"JSON": json.String()} {
		if i := strings.IndexAny(text, "\x00\a\x1b\u202e"); i >= 0 || !utf8.ValidString(text) {
			t.Errorf("%s: what the server sent is not escaped: %q", name, text[max(0, i-40):max(0, i)+40])
		}
	}
}

// gone checks that the death of the target ended the run, and that no scenario
// is blamed for it.
func gone(t *testing.T, run *harness.Run) {
	t.Helper()
	if !strings.HasPrefix(run.Stopped, "the target is gone: ") {
		t.Errorf("stopped: %q", run.Stopped)
	}
	for _, r := range run.Results {
		dead := func(f rules.Finding) bool { return f.Rule.ID == rules.Alive.ID && f.Outcome == rules.Breached }
		if slices.ContainsFunc(r.Findings, dead) {
			t.Errorf("%s is blamed for the death", r.Scenario.ID)
		}
	}
}

// A cancelled run ends at once, with its cause and a result for everything.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	batch, err := start(ctx, serve(t, "no-echo"), scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	<-batch.Results() // the run is under way
	began := time.Now()
	cancel(errors.New("interrupted by a test"))
	run := batch.Wait()
	if took := time.Since(began); took > 200*time.Millisecond || run.Stopped != "interrupted by a test" {
		t.Errorf("took %s, stopped %q", took, run.Stopped)
	}
	complete(t, run)
}

// Whatever a server does, the check of a target ends on time.
func TestCheckTargetHostile(t *testing.T) {
	p := profile
	p.CloseTimeout = 200 * time.Millisecond
	var running sync.WaitGroup
	gate := make(chan struct{}, 8) // most of their time is waiting
	for _, m := range hostile.All() {
		target := &servers.Target{URL: serveURL(t, m.Name), TLS: &tls.Config{InsecureSkipVerify: true}, Profile: p}
		gate <- struct{}{}
		running.Go(func() {
			defer func() { <-gate }()
			began := time.Now()
			c, err := contract.CheckTarget(t.Context(), target)
			if took := time.Since(began); took > longest {
				t.Errorf("%s took %s", m.Name, took)
			}
			if err != nil && reports.OneLine(err.Error()) != err.Error() || err == nil && len(c.Checks) == 0 {
				t.Errorf("%s: %q, %+v", m.Name, err, c)
			}
		})
	}
	running.Wait()
}
