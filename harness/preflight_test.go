package harness_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// What is wrong with a target is said in one line, before any scenario.
func TestPreflight(t *testing.T) {
	plain, secure := httptest.NewServer(http.NotFoundHandler()), httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	for _, c := range []struct{ name, url, want string }{
		{"refused", "ws://" + free.Addr().String(),
			"connect: dial tcp " + free.Addr().String() + ": connect: connection refused"},
		{"unresolvable", "ws://no-such-host.invalid/", "no such host"},
		{"404", strings.Replace(plain.URL, "http", "ws", 1) + "/x?y",
			"await upgrade: the server answered HTTP 404 instead of 101 (no WebSocket at /x?y?)"},
		{"plain HTTP on wss", strings.Replace(plain.URL, "http", "wss", 1),
			"connect: TLS handshake: tls: first record does not look like a TLS handshake"},
		{"TLS on ws", strings.Replace(secure.URL, "https", "ws", 1),
			"await upgrade: the server answered HTTP 400 instead of 101"},
		{"not verified", strings.Replace(secure.URL, "https", "wss", 1),
			"connect: TLS handshake: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{"not HTTP", "ws://" + serve(t, "not-http"), `await upgrade: the handshake response is not HTTP: "\x1b[2J`},
		{"reset", "ws://" + serve(t, "rst-on-accept"), ""}, // connect(2), the request or the response may fail by it
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			_, err = harness.Start(t.Context(), &servers.Target{URL: u, Profile: profile}, scenarios.Sanity(),
				harness.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || reports.OneLine(err.Error()) != err.Error() {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// A run that is cancelled before it begins says why.
func TestCancelledPreflight(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted by a test"))
	if _, err := start(ctx, serve(t, "no-handshake"),
		scenarios.Sanity()); err == nil || err.Error() != "interrupted by a test" {
		t.Error(err)
	}
}

// A server that does not echo is tested for what needs no echo.
func TestNoEcho(t *testing.T) {
	list, err := scenarios.Selection{Only: []string{"sanity", "peer-close"},
		Skip: []string{"peer-close/simultaneous"}}.Apply(scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	batch, err := start(t.Context(), serve(t, "no-echo"), list)
	if err != nil {
		t.Fatal(err)
	}
	run := batch.Wait()
	if len(run.Notes) == 0 || !strings.Contains(run.Notes[0], "did not echo") {
		t.Errorf("notes: %q", run.Notes)
	}
	for _, r := range run.Results {
		needs := slices.Contains(r.Scenario.Needs, evidence.Echo)
		skipped := r.Verdict == harness.Skip && slices.Contains(r.Missing, evidence.Echo)
		if needs != skipped || !needs && r.Verdict != harness.Pass {
			t.Errorf("%s: %s, missing %q\n%s", r.Scenario.ID, r.Verdict, r.Missing, reports.Explain(reports.NewScenario(r)))
		}
	}
	if run.Count()[harness.Skip] == 0 || run.Count()[harness.Pass] == 0 {
		t.Errorf("%v", run.Count())
	}
}
