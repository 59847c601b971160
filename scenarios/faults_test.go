package scenarios_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/internal/quiet"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

var verbose = flag.Bool("findings", false, "log every breach with what was seen")

// needsTLS is the fault that shows on a wss target alone.
const needsTLS = "no-close-notify"

// TestMain also lets the test binary be the server that is stopped.
func TestMain(m *testing.M) {
	if fault, ok := os.LookupEnv("FINWAIT_TEST_SERVE"); ok {
		serve(fault)
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(runsAtOnce)); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(machine.Tests(m))
}

// runsAtOnce is how many runs of the catalogue overlap: they wait more than they compute, but
// more of them would disturb each other on a small machine.
const runsAtOnce = 4

var machine quiet.Machine

// serve runs the reference server with a fault on $PORT until SIGTERM.
func serve(fault string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err == nil {
		options := options
		options.Fault = fault
		err = reference.Serve(ctx, l, options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Short limits, so that forty runs of the catalogue fit in a minute. What the
// reference server needs is well below what the profile allows.
var (
	options = reference.Options{
		CloseTimeout: 500 * time.Millisecond, PingInterval: 200 * time.Millisecond,
		HandshakeTimeout: 600 * time.Millisecond, Late: 600 * time.Millisecond,
	}
	profile = rules.Profile{
		CloseTimeout: 800 * time.Millisecond, Response: 300 * time.Millisecond,
		Patience: 2500 * time.Millisecond, PingInterval: 200 * time.Millisecond,
	}
)

// run plays the catalogue against the reference server with a fault.
func run(t *testing.T, fault string, o harness.Options) *harness.Run {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if fault == needsTLS {
		return runOn(t, serveTLS(t, l), "wss", fault, o)
	}
	return runOn(t, l, "ws", fault, o)
}

func runOn(t *testing.T, l net.Listener, scheme, fault string, o harness.Options) *harness.Run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	options := options
	options.Fault = fault
	go func() { served <- reference.Serve(ctx, l, options) }()
	defer func() { cancel(); <-served }()
	target := &servers.Target{
		URL: &url.URL{Scheme: scheme, Host: l.Addr().String(), Path: "/"}, Profile: profile,
		TLS: &tls.Config{InsecureSkipVerify: true},
	}
	batch, err := harness.Start(t.Context(), target, scenarios.All(), o)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Wait()
}

// example is a scenario, and what was seen in it.
type example struct {
	in  *harness.Scenario
	saw string
}

// broken lists the rules that were breached, each once, with an example. A scenario that
// could not be carried out counts as a breach of the rule "error".
func broken(run *harness.Run) map[string]example {
	out := map[string]example{}
	for _, r := range run.Results {
		if r.Verdict == harness.Errored && run.Stopped == "" { // a fault may kill the target
			out["error"] = example{r.Scenario, r.Err}
		}
		for _, f := range r.Findings {
			if f.Outcome == rules.Breached {
				out[f.Rule.ID] = example{r.Scenario, "want " + f.Want + "; got " + f.Got}
			}
		}
	}
	return out
}

func TestTheReferenceServerIsGreen(t *testing.T) {
	for _, c := range []struct{ name, scheme, address string }{
		{"IPv4", "ws", "127.0.0.1:0"}, {"IPv6", "ws", "[::1]:0"}, {"TLS", "wss", "127.0.0.1:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", c.address)
			if err != nil {
				t.Skipf("needs %s: %s", c.name, err)
			}
			if c.scheme == "wss" {
				l = serveTLS(t, l)
			}
			green(t, runOn(t, l, c.scheme, "", harness.Options{}))
		})
	}
}

func green(t *testing.T, run *harness.Run) {
	t.Helper()
	for _, r := range run.Results {
		if r.Scenario.Stops && slices.Contains(r.Missing, evidence.CanStop) {
			continue // see TestEveryStopFaultBreaksItsRules
		}
		if r.Verdict == harness.Skip && slices.Contains(r.Missing, evidence.NetAdmin) {
			t.Logf("%s not judged: needs %s", r.Scenario.ID, r.Missing)
			continue
		}
		if r.Verdict == harness.Skip && r.Scenario.Family() == "tls" && slices.Contains(r.Missing, evidence.TLS) {
			continue // see the run under TLS
		}
		if r.Verdict == harness.Skip && slices.Contains(r.Missing, evidence.Patience) {
			t.Logf("%s not judged: %s", r.Scenario.ID, r.Err) // it pauses for longer than this profile's
			continue
		}
		if r.Verdict == harness.Pass || r.Verdict == harness.Info {
			continue
		}
		t.Errorf("%s: %s %s %v", r.Scenario.ID, r.Verdict, r.Err, r.Missing)
		for _, f := range r.Findings {
			if f.Outcome == rules.Breached {
				t.Errorf("  %s: want %s; got %s", f.Rule.ID, f.Want, f.Got)
			}
		}
		if r.Record != nil {
			for _, e := range r.Record.Trace {
				t.Logf("  %9s %s %s", figures.Format(e.At), e.Dir, e.What)
			}
		}
	}
}

func serveTLS(t *testing.T, l net.Listener) net.Listener {
	t.Helper()
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
}

// certificate is a self-signed one for the test.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Every fault breaks exactly the rules that are meant for it, and every rule
// that can break is broken by a fault.
func TestEveryFaultBreaksItsRules(t *testing.T) {
	reached := map[string]bool{}
	for _, f := range append(reference.Faults(), reference.StopFaults()...) {
		for _, id := range f.Breaks {
			reached[id] = true
		}
	}
	for _, s := range scenarios.All() {
		for _, r := range s.Rules {
			if r.Grade != rules.Info && !reached[r.ID] {
				t.Errorf("no fault breaks %s, for example in %s", r.ID, s.ID)
				reached[r.ID] = true
			}
		}
	}
	gate := make(chan struct{}, runsAtOnce)
	for _, f := range reference.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			done := runFault(t, f.Name)
			<-gate
			if wrong := complaints(f, done); wrong != nil {
				// On a busy machine a limit of 300 ms may pass without a fault: the run that
				// counts is one beside which nothing else runs.
				t.Logf("beside other runs:\n%s", strings.Join(wrong, "\n"))
				leave := machine.Alone(t)
				for range runsAtOnce {
					gate <- struct{}{}
				}
				done = runFault(t, f.Name)
				for range runsAtOnce {
					<-gate
				}
				leave()
			}
			check(t, f, done)
		})
	}
}

// check reports what a run against a fault should have breached and did not, and what it
// breached besides.
func check(t *testing.T, f reference.Fault, run *harness.Run) {
	t.Helper()
	for _, wrong := range complaints(f, run) {
		t.Error(strings.ToValidUTF8(wrong, "?"))
	}
	if *verbose {
		breached := broken(run)
		for _, id := range slices.Sorted(maps.Keys(breached)) {
			t.Logf("%s: %s: %s", id, breached[id].in.ID, strings.ToValidUTF8(breached[id].saw, "?"))
		}
	}
}

// runFault plays the catalogue against the reference server with a fault. Where the fault
// kills the server, it plays one scenario after the other to find the one that does.
func runFault(t *testing.T, fault string) *harness.Run {
	t.Helper()
	done := run(t, fault, harness.Options{})
	if done.Stopped != "" {
		done = run(t, fault, harness.Options{AtOnce: 1})
	}
	return done
}

// stops plays scenarios on processes of the reference server with a fault.
func stops(t *testing.T, fault string, list []*harness.Scenario) *harness.Run {
	t.Helper()
	t.Setenv("FINWAIT_TEST_SERVE", fault)
	profile := profile
	profile.StopTimeout = 800 * time.Millisecond
	target := &servers.Target{
		URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:{port}", Path: "/"}, Profile: profile,
		Process: &servers.Process{Args: []string{os.Args[0]}},
	}
	batch, err := harness.Start(t.Context(), target, list, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return batch.Wait()
}

// A crowd that is not complete within one close timeout is waited for.
func TestLargeCrowd(t *testing.T) {
	green(t, stops(t, "", scenarios.Shutdown(300)[:3])) // the others' peers would not be kept so long
}

// The family shutdown, on processes of the reference server: the right one is
// green, and each fault breaks exactly its rules.
func TestEveryStopFaultBreaksItsRules(t *testing.T) {
	for _, f := range append(reference.StopFaults(), reference.Fault{}) {
		t.Run("fault "+f.Name, func(t *testing.T) {
			run := stops(t, f.Name, scenarios.Shutdown(10))
			check(t, f, run)
			if f.Name == "" {
				green(t, run)
			}
		})
	}
}
