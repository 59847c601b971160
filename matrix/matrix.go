// Package matrix runs the catalogue against real servers and compares the results. A folder
// with a target.yaml describes each server.
package matrix

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// Options say how the matrix is made.
type Options struct {
	Scenarios []*harness.Scenario
	Jobs      int                  // how many targets are measured at the same time; at least 1
	Runs      int                  // how often the catalogue is run on each target, each time on a new process; at least 1
	Profile   rules.Profile        // the limits of targets that declare none
	Reports   string               // folder for the JSON report of each target's first run; empty: no reports
	Log       io.Writer            // gets a line when a run ends; calls do not overlap
	Done      func(*Outcome) error // called when a target is done; calls do not overlap; may be nil
}

// Run runs the catalogue against every target that has no outcome in before. It returns the
// outcomes of all targets, in the order of targets. When it returns, every process that it
// started has ended. If ctx is cancelled, it returns the outcomes that are complete.
func Run(ctx context.Context, targets []*Target, before *Matrix, o Options) (*Matrix, error) {
	profile, err := o.Profile.WithDefaults()
	if err != nil {
		return nil, err
	}
	o.Log = &serial{w: o.Log}
	m := New(o.Scenarios, profile, o.Runs)
	outcomes := make([]*Outcome, len(targets))
	gate := make(chan struct{}, o.Jobs)
	var running sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i, t := range targets {
		if outcomes[i] = m.known(before, t); outcomes[i] != nil {
			fmt.Fprintf(o.Log, "%s: known from %s\n", t.Name, outcomes[i].At.Format(time.DateTime))
			continue
		}
		gate <- struct{}{}
		running.Go(func() {
			defer func() { <-gate }()
			if ctx.Err() != nil {
				return
			}
			out := measure(ctx, t, o)
			mu.Lock()
			defer mu.Unlock()
			if ctx.Err() != nil {
				return // the outcome may be incomplete
			}
			outcomes[i] = out
			if o.Done != nil {
				failed = errors.Join(failed, o.Done(out))
			}
		})
	}
	running.Wait()
	m.Targets = slices.DeleteFunc(outcomes, func(o *Outcome) bool { return o == nil })
	if ctx.Err() != nil {
		failed = errors.Join(context.Cause(ctx), failed)
	}
	return m, failed
}

// serial is a log to which several targets may write at the same time. Each write is one line.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serial) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(line)
}

// measure runs one target. An error is part of the outcome.
func measure(ctx context.Context, t *Target, o Options) *Outcome {
	out := newOutcome(t)
	if err := t.checkVersion(ctx); err != nil {
		out.Error = reports.OneLine(err.Error())
		return out
	}
	for n := range o.Runs {
		whole, err := t.runCatalogue(ctx, o.Scenarios, o.Profile)
		if err != nil {
			out.Error = reports.OneLine(err.Error())
			if errors.Is(err, fs.ErrNotExist) {
				out.Error += ": run finwait matrix install " + filepath.Dir(t.File())
			}
			return out
		}
		run := reports.New(whole)
		if out.First == nil {
			out.fill(t, o.Scenarios, run)
		}
		out.compare(run)
		fmt.Fprintf(o.Log, "%s: run %d of %d: %s in %s\n", t.Name, n+1, o.Runs, counts(run), figures.Format(whole.Took))
	}
	if o.Reports != "" {
		file := filepath.Join(o.Reports, t.Name+".json")
		if err := reports.WriteFile(file, func(w io.Writer) error { return reports.JSON(w, out.First) }); err != nil {
			out.Error = err.Error()
		}
	}
	return out
}

func counts(run *reports.Report) string {
	var parts []string
	for _, v := range []string{reports.Pass, reports.Fail, reports.Warn, reports.Info, reports.Skip, reports.Errored} {
		parts = append(parts, fmt.Sprintf("%d %s", run.Totals[v], v))
	}
	return strings.Join(parts, ", ")
}

// runCatalogue runs the catalogue on one process, except for the scenarios that kill the
// server. It runs each of those on another process.
func (t *Target) runCatalogue(ctx context.Context, list []*harness.Scenario, profile rules.Profile) (*harness.Run, error) {
	profile, err := t.profile(profile)
	if err != nil {
		return nil, err
	}
	list, err = t.chosen(list)
	if err != nil {
		return nil, fmt.Errorf("%s: only: %w", t.File(), err)
	}
	var together, alone []*harness.Scenario
	for _, s := range list {
		if slices.Contains(t.Alone, s.ID) {
			alone = append(alone, s)
		} else {
			together = append(together, s)
		}
	}
	run := &harness.Run{}
	if len(together) > 0 {
		if run, err = t.runOnce(ctx, profile, together); err != nil {
			return nil, err
		}
	}
	for _, s := range alone {
		killed, err := t.runFatal(ctx, profile, s)
		if err != nil {
			return nil, err
		}
		if len(run.Results) == 0 {
			run = killed
			continue
		}
		run.Results = append(run.Results, killed.Results...)
	}
	slices.SortFunc(run.Results, func(a, b *harness.Result) int {
		return slices.Index(list, a.Scenario) - slices.Index(list, b.Scenario)
	})
	return run, nil
}

// runFatal runs a scenario that is known to kill the server, on a new process. Whether the
// server dies may depend on a race in it, so the scenario is repeated, at most tries times,
// until it fails.
func (t *Target) runFatal(ctx context.Context, profile rules.Profile, s *harness.Scenario) (run *harness.Run, err error) {
	const tries = 8
	for range tries {
		run, err = t.runOnce(ctx, profile, []*harness.Scenario{s})
		if err != nil || run.Count()[harness.Fail] > 0 {
			break
		}
	}
	return run, err
}

// runOnce runs the scenarios on processes of the target, and ends the processes.
func (t *Target) runOnce(ctx context.Context, profile rules.Profile, list []*harness.Scenario) (*harness.Run, error) {
	target, err := t.Server(profile)
	if err != nil {
		return nil, err
	}
	batch, err := harness.Start(ctx, target, list, harness.Options{})
	if err != nil {
		return nil, err
	}
	run := batch.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if run.Stopped != "" && len(list) > 1 {
		lines := strings.Split(strings.TrimSpace(run.Output), "\n")
		return nil, fmt.Errorf("%s: %s", run.Stopped, lines[len(lines)-1])
	}
	return run, nil
}

// Fingerprint returns a hash of what the peers of the scenarios do, of what the scenarios
// need, and of the rules that judge them. Outcomes with different fingerprints cannot be
// compared.
func Fingerprint(list []*harness.Scenario) string {
	h := sha256.New()
	for _, s := range list {
		fmt.Fprintf(h, "scenario %q needs %q query %q alone %t stops %t asks %q\n%s\n",
			s.ID, s.Needs, s.Query, s.Alone, s.Stops, s.Asks, s.Script)
		for _, c := range s.Crowd {
			fmt.Fprintf(h, "crowd %q %d\n%s\n", c.Kind, c.Count, c.Script)
		}
		for _, r := range s.Rules {
			fmt.Fprintf(h, "rule %s %s\n", r.ID, r.Grade)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

// host describes the host on which the matrix is made.
func host() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(fmt.Sprintf("%s/%s %s, %d CPUs", runtime.GOOS, runtime.GOARCH,
		strings.TrimSpace(string(text)), runtime.NumCPU()))
}
