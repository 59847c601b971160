package finwait_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// The target is a flag and not an environment variable: go test would serve a
// cached result for a changed environment.
var (
	target = flag.String("target", "", "URL of the server under test; empty: the reference server")
	junit  = flag.String("junit", "", "write a JUnit report with true durations to this file")
	strict = flag.Bool("strict", false, "a breached SHOULD fails")

	rule = ruleFlag("rule", "what a breach of this rule does, before its grade and -strict: fail, warn or off, "+
		"such as R36=off (repeatable)")
	header       = headerFlag("header", "add this 'Name: value' to the handshake request (repeatable)")
	ca           = flag.String("ca", "", "trust the certificates in this PEM file (wss)")
	insecure     = flag.Bool("insecure", false, "do not verify the server's certificate (wss)")
	cert         = flag.String("cert", "", "present the client certificate in this PEM file (wss)")
	key          = flag.String("key", "", "the PEM file of its key (default that of the certificate)")
	closeTimeout = limitFlag("close-timeout", "declared limit for letting go once a close began (default 10s)")
	response     = limitFlag("response", "limit for what needs no waiting (default 1s)")
	patience     = limitFlag("patience", "how long to look, from the trigger (default 35s, or more where the close timeout needs it)")
)

func headerFlag(name, usage string) http.Header {
	h := http.Header{}
	flag.Func(name, usage, func(text string) error {
		name, value, err := flags.Header(text)
		if err == nil {
			h.Add(name, value)
		}
		return err
	})
	return h
}

func ruleFlag(name, usage string) *rules.Weights {
	weights := new(rules.Weights)
	flag.Var(scenarios.WeightFlag{To: weights}, name, usage)
	return weights
}

func limitFlag(name, usage string) *time.Duration {
	d := new(time.Duration)
	flag.Var(flags.Limit{To: d, Least: flags.Shortest}, name, usage)
	return d
}

func TestSuite(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.FailOnEmpty = true
	if suite.ParallelTotal > 1 {
		t.Fatal("all scenarios of this suite already run at the same time: run it without -p")
	}
	chosen = selected(PreviewSpecs("finwait", suite, reporter))
	RunSpecs(t, "finwait", suite, reporter)
}

var (
	chosen []*harness.Scenario // what the filters leave
	batch  *harness.Batch

	interrupt context.CancelCauseFunc // ends the batch with what was measured
)

// selected are the scenarios whose specs will run.
func selected(preview Report) []*harness.Scenario {
	byID := map[string]*harness.Scenario{}
	for _, s := range scenarios.All() {
		byID[s.ID] = s
	}
	var out []*harness.Scenario
	for _, spec := range preview.SpecReports {
		if s := byID[spec.LeafNodeText]; s != nil && !spec.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
			out = append(out, s)
		}
	}
	return out
}

var _ = BeforeSuite(func() {
	raw := *target
	profile := rules.Profile{Strict: *strict, Weights: *rule, CloseTimeout: *closeTimeout, Response: *response, Patience: *patience}
	secure, err := flags.TLS{CA: *ca, Cert: *cert, Key: *key, Insecure: *insecure}.Config()
	Expect(err).NotTo(HaveOccurred())
	if raw == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- reference.Serve(ctx, l, reference.Options{PingInterval: time.Second}) }()
		DeferCleanup(func() { cancel(); <-done })
		raw, profile.PingInterval = "ws://"+l.Addr().String()+"/", time.Second
	}
	u, err := url.Parse(raw)
	Expect(err).NotTo(HaveOccurred(), "-target")
	var ctx context.Context
	// Of a signal between two specs no spec is told.
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	DeferCleanup(stop)
	ctx, interrupt = context.WithCancelCause(signalled)
	batch, err = harness.Start(ctx, &servers.Target{URL: u, Header: header, TLS: secure, Profile: profile}, chosen, harness.Options{})
	Expect(err).NotTo(HaveOccurred(), "the target cannot be tested")
	DeferCleanup(batch.Wait)
})

var _ = Describe("closing", func() {
	for _, s := range scenarios.All() {
		It(s.ID, Label(append([]string{s.Family()}, s.Labels...)...), func(ctx SpecContext) {
			r, err := batch.Await(ctx, s.ID)
			if err != nil {
				interrupt(err)
			}
			Expect(err).NotTo(HaveOccurred())
			AddReportEntry("finwait", r, ReportEntryVisibilityNever)
			switch r.Verdict {
			case harness.Skip:
				Skip("needs " + reports.NewScenario(r).Missed())
			case harness.Errored:
				Fail(r.Err)
			case harness.Fail:
				Fail(reports.Explain(reports.NewScenario(r)))
			}
		})
	}
})

// What a spec was told may have been corrected since.
var _ = AfterSuite(func() {
	if batch == nil {
		return
	}
	for _, r := range batch.Wait().Results {
		if r.Corrected && r.Verdict == harness.Fail {
			AddReportEntry("finwait", r, ReportEntryVisibilityNever)
			Fail(r.Scenario.ID + " was corrected: " + reports.Explain(reports.NewScenario(r)))
		}
	}
})

var _ = ReportAfterSuite("finwait reports", func(Report) {
	if batch == nil || *junit == "" {
		return
	}
	err := reports.WriteFile(*junit, func(w io.Writer) error { return reports.JUnit(w, reports.New(batch.Wait()), false) })
	Expect(err).NotTo(HaveOccurred())
	fmt.Fprintln(os.Stdout, "JUnit report:", *junit)
})
