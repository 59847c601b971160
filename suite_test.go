package finwait_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

// The target is a flag and not an environment variable: go test would serve a
// cached result for a changed environment.
var (
	target = flag.String("target", "", "URL of the server under test; empty: the reference server")
	junit  = flag.String("junit", "", "write a JUnit report with true durations to this file")
	strict = flag.Bool("strict", false, "a breached SHOULD fails")
)

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
	profile := harness.Profile{Strict: *strict}
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
	batch, err = harness.Start(context.Background(), &harness.Target{URL: u, Profile: profile}, chosen, harness.Options{})
	Expect(err).NotTo(HaveOccurred(), "the target cannot be tested")
})

var _ = Describe("closing", func() {
	for _, s := range scenarios.All() {
		It(s.ID, Label(append([]string{s.Family()}, s.Labels...)...), func(ctx SpecContext) {
			r, err := batch.Await(ctx, s.ID)
			Expect(err).NotTo(HaveOccurred())
			AddReportEntry("finwait", r, ReportEntryVisibilityNever)
			switch r.Verdict {
			case harness.Skip:
				Skip(fmt.Sprintf("needs %s", r.Missing))
			case harness.Errored:
				Fail(r.Err)
			case harness.Fail:
				Fail(reports.Explain(r))
			}
		})
	}
})

var _ = ReportAfterSuite("finwait reports", func(Report) {
	if batch == nil || *junit == "" {
		return
	}
	err := reports.WriteFile(*junit, func(w io.Writer) error { return reports.JUnit(w, batch.Wait(), false) })
	Expect(err).NotTo(HaveOccurred())
	fmt.Fprintln(os.Stdout, "JUnit report:", *junit)
})
