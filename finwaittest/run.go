package finwaittest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// Run plays the catalogue against the server, each scenario as a subtest of t that is
// named by its id. The scenarios that -run, -skip and -short leave are played at the same
// time, whatever -parallel says. A breach of a MUST or of a limit fails its subtest. A
// breach of a SHOULD, and a measured figure, are logged. A subtest is skipped if its
// failure is known, or if the server or this host lacks a capability without which it cannot
// be played, or if a rule that it exists for cannot be measured. With -v each result is printed
// as soon as it is known.
//
// Run returns when the server has been reached and the scenarios have begun. The subtests
// then wait for their results, from milliseconds to [Server.Patience] each. If the server
// reports close events, or failures are known, they wait for the end of the run, because a
// late event may still change a result. If the whole run cannot begin, Run fails t with one
// line and ends it: because of bad fields, a server that cannot be reached, or a -timeout
// that is shorter than Patience. The servers that Run started end with t.
//
// Call Run once in a test, and give each further server a subtest.
func Run(t *testing.T, s Server) {
	t.Helper()
	if name, address := served(); name != "" {
		if name != t.Name() {
			t.Skipf("finwaittest: %s is set: this process is the server of %s", testVariable, name)
		}
		s.serve(t, address)
		return
	}
	p, err := s.plan(t.Name())
	if err != nil {
		t.Fatalf("finwaittest: %s", inFields(err.Error()))
	}
	if len(p.scenarios) == 0 {
		t.Skip("finwaittest: none of these scenarios is played with -short")
	}
	b, parent := &batch{}, t.Name()
	var chosen []*harness.Scenario
	for _, scenario := range p.scenarios {
		t.Run(scenario.ID, func(t *testing.T) {
			t.Helper()
			if t.Name() != parent+"/"+scenario.ID { // such as TestClosing/sanity/close#01
				b.again = true
				t.SkipNow()
			}
			chosen = append(chosen, scenario)
			t.Parallel() // until the test function that calls Run has returned
			b.await(t, scenario.ID)
		})
	}
	switch {
	case b.again:
		t.Fatal("finwaittest: Run is called twice in this test: give each server a subtest of its own, by t.Run")
	case len(chosen) == 0:
		return // -run and -skip leave no scenario
	}
	ctx, err := inTime(t, p.target.Profile)
	if err != nil {
		t.Fatalf("finwaittest: %v", err)
	}
	if s.Handler != nil {
		if p.target.URL.Host, err = serveHandler(t, s.Handler); err != nil {
			t.Fatalf("finwaittest: %v", err)
		}
	}
	b.Batch, err = harness.Start(ctx, p.target, chosen, p.options)
	if err != nil {
		t.Fatalf("finwaittest: %s: %s", p.target, inFields(err.Error()))
	}
	for _, note := range b.Notes() {
		t.Log("note: " + reports.OneLine(note))
	}
	b.follow(t)
}

// fast are the families in which no server has to wait for a close timeout, for a Pong or
// for the end of its own process. With the reference server each takes less than 1 s.
var fast = []string{"sanity", "peer-close", "bad-close", "terminate", "kick"}

// patient is a scenario of the fast families in which a server may hold the connection for ever.
const patient = "peer-close/with-handshake"

// shortened returns the scenarios that -short leaves.
func shortened(list []*harness.Scenario) []*harness.Scenario {
	if !testing.Short() {
		return list
	}
	return slices.DeleteFunc(list, func(s *harness.Scenario) bool { return !slices.Contains(fast, s.Family()) || s.ID == patient })
}

// closing is how long before the deadline of the test binary a run is ended. In that time the
// results are printed and the servers are stopped.
const closing = 2 * time.Second

// inTime returns the context of a run. It ends with the test, and at the latest shortly before
// the deadline of the test binary. The error says that the deadline is nearer than the patience.
func inTime(t *testing.T, p rules.Profile) (context.Context, error) {
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context(), nil
	}
	if left := time.Until(deadline); left < p.Patience+2*closing {
		return nil, fmt.Errorf("a scenario may take %s, and the -timeout of go test leaves %s: raise -timeout by %s, or lower Patience",
			p.Patience, left.Round(time.Second), (p.Patience+2*closing-left).Round(time.Second)+time.Second)
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), deadline.Add(-closing), fmt.Errorf("the -timeout of go test is over"))
	t.Cleanup(cancel)
	return ctx, nil
}

// batch is a run under way.
type batch struct {
	*harness.Batch      // nil: the run could not begin, and the test has said why
	again          bool // this test has called Run before
}

// inFields replaces the flags of the command line in a text by the fields of [Server].
func inFields(text string) string {
	return strings.NewReplacer("--patience", "Patience", "--close-timeout", "CloseTimeout", "--stop-timeout", "StopTimeout",
		"--at-once", "AtOnce", "--exec", "Exec", "--stop-exec", "StopExec").Replace(text)
}

// follow prints the results as they come, with -v, and waits for the end of the run
// when the subtests have ended.
func (b *batch) follow(t *testing.T) {
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		for r := range b.Results() {
			if testing.Verbose() {
				fmt.Fprintf(t.Output(), "%-6s%s (%s)\n", r.Verdict, r.Scenario.ID, figures.Format(r.Took))
			}
		}
	}()
	t.Cleanup(func() {
		b.Wait()
		<-printed
	})
}

// await ends a subtest with its scenario's result.
func (b *batch) await(t *testing.T, id string) {
	t.Helper()
	if b.Batch == nil {
		t.SkipNow()
	}
	r, err := b.AwaitFinal(t.Context(), id)
	if err != nil {
		t.Fatalf("not carried out: %v", err)
	}
	seen := fmt.Sprintf("%s%s\n%s", r.Scenario.Title, times(r), reports.Explain(reports.NewScenario(r)))
	switch r.Verdict {
	case harness.Fail:
		t.Error(seen)
	case harness.Errored:
		t.Errorf("not carried out: %s", inFields(reports.OneLine(r.Err)))
	case harness.Known:
		t.Skip("known failure: " + seen)
	case harness.Skip:
		t.Skip(missing(r))
	case harness.Warn:
		t.Log("warning: " + seen)
	case harness.Info:
		for _, f := range r.Findings {
			if f.Outcome == rules.Measured {
				t.Logf("measured, not judged: %s (%s)", reports.OneLine(f.Got), f.Rule.ID)
			}
		}
	}
}

// times says in how many of several plays the verdict was the same.
func times(r *harness.Result) string {
	if r.Plays == nil {
		return ""
	}
	n := 0
	for _, play := range r.Plays {
		if play.Verdict == r.Verdict {
			n++
		}
	}
	return fmt.Sprintf(": in %d of %d plays", n, len(r.Plays))
}

// missing names the capabilities that a scenario needs and that are not available, and the rules
// that it exists for and that could not be measured.
func missing(r *harness.Result) string {
	names := make([]string, len(r.Missing))
	for i, c := range r.Missing {
		names[i] = string(c)
	}
	text := "needs " + strings.Join(names, ", ")
	if r.Err != "" {
		text += ": " + inFields(reports.OneLine(r.Err))
	}
	if why := reports.NewScenario(r).NotMeasured(); why != "" {
		text += "; " + inFields(why)
	}
	return text
}
