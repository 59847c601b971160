// Package matrix runs the catalogue against real servers, each a folder with a
// target.yaml, and compares what they do.
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
	Jobs      int                  // targets at the same time; at least one
	Runs      int                  // of the catalogue per target, each on a process of its own; at least one
	Profile   rules.Profile        // the limits, where a target declares none of its own
	Reports   string               // folder for the whole JSON report of each target's first run; empty: none
	Log       io.Writer            // a line as each run ends, one at a time
	Done      func(*Outcome) error // called as each target ends, one at a time; may be nil
}

// Run runs the catalogue against every target that before does not hold
// already, and returns the outcomes of all in the order of targets. Every
// process that it started has ended when it returns. A cancelled ctx ends it
// with the outcomes that are whole.
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
				return // it may be cut
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

// serial is a log that several targets write to, a line at a time.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serial) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(line)
}

// measure runs one target. What goes wrong stands in the outcome.
func measure(ctx context.Context, t *Target, o Options) *Outcome {
	out := newOutcome(t)
	if err := t.checkVersion(ctx); err != nil {
		out.Error = reports.OneLine(err.Error())
		return out
	}
	for n := range o.Runs {
		whole, err := t.whole(ctx, o.Scenarios, o.Profile)
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

// whole runs the catalogue on one process, and each of the scenarios that kill
// it on others.
func (t *Target) whole(ctx context.Context, list []*harness.Scenario, profile rules.Profile) (*harness.Run, error) {
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
		if run, err = t.once(ctx, profile, together); err != nil {
			return nil, err
		}
	}
	for _, s := range alone {
		killed, err := t.killing(ctx, profile, s)
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

// killing runs a scenario that is known to kill the server on a process of its
// own. Whether the server dies may be a race within it, so there are up to
// tries of them, until one dies.
func (t *Target) killing(ctx context.Context, profile rules.Profile, s *harness.Scenario) (run *harness.Run, err error) {
	const tries = 8
	for range tries {
		run, err = t.once(ctx, profile, []*harness.Scenario{s})
		if err != nil || run.Count()[harness.Fail] > 0 {
			break
		}
	}
	return run, err
}

// once runs the scenarios on processes of the target's and ends them.
func (t *Target) once(ctx context.Context, profile rules.Profile, list []*harness.Scenario) (*harness.Run, error) {
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

// Fingerprint is one of the scenarios: of what their peers do, what they
// need and which rules judge them. Outcomes of another catalogue cannot be compared.
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

// host is where the matrix was made.
func host() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(fmt.Sprintf("%s/%s %s, %d CPUs", runtime.GOOS, runtime.GOARCH,
		strings.TrimSpace(string(text)), runtime.NumCPU()))
}
