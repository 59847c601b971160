// Command figures runs the url catalogue against the real servers in targets/,
// several times each, and writes what was measured as a table. It fails where
// the verdicts of two runs differ, and where a failure has no explanation in
// the target's target.yaml; the file of -out is then left as it was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

func main() {
	dir := flag.String("dir", "targets", "folder of the targets")
	only := flag.String("only", "", "only the target in this folder")
	runs := flag.Int("runs", 3, "runs of the catalogue per target")
	at := flag.Int("j", 4, "targets at the same time")
	out := flag.String("out", "", "write the table to this file (default standard output)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := figures(ctx, *dir, *only, *runs, *at, *out); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func figures(ctx context.Context, dir, only string, runs, at int, out string) error {
	if runs < 1 {
		return fmt.Errorf("-runs %d: at least one run is needed", runs)
	}
	if out != "" {
		if err := reports.CheckWritable(out); err != nil {
			return err
		}
	}
	targets, err := load(dir, only)
	if err != nil {
		return err
	}
	results := make([]measured, len(targets))
	gate := make(chan struct{}, max(at, 1))
	var running sync.WaitGroup
	for i, t := range targets {
		running.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			results[i] = measure(ctx, t, runs)
		})
	}
	running.Wait()
	for _, r := range results {
		err = errors.Join(err, r.err)
	}
	table := func(w io.Writer) error { return markdown(w, results, time.Now().UTC(), runs, err == nil) }
	switch {
	case out == "":
		return errors.Join(err, table(os.Stdout))
	case err == nil:
		return reports.WriteFile(out, table)
	}
	return err
}

// measured is what the runs of one target gave.
type measured struct {
	target target
	run    *harness.Run // the first run, with the scenarios that run alone
	err    error
}

func measure(ctx context.Context, t target, runs int) (m measured) {
	m.target = t
	defer func() {
		if m.err != nil {
			m.err = fmt.Errorf("%s: %w", t.Name, m.err)
		}
	}()
	if m.err = t.install(ctx); m.err != nil {
		return m
	}
	selection := scenarios.Selection{Skip: t.Alone}
	for n := range runs {
		run, err := once(ctx, t, selection)
		if err != nil {
			m.err = err
			return m
		}
		for _, id := range t.Alone {
			alone, err := killing(ctx, t, id)
			if err != nil {
				m.err = err
				return m
			}
			run.Results = append(run.Results, alone.Results...)
		}
		if n == 0 {
			m.run = run
		}
		m.err = errors.Join(m.err, same(m.run, run, n+1))
		fmt.Fprintf(os.Stderr, "%s: run %d of %d: %v in %s\n", t.Name, n+1, runs, run.Count(), harness.Format(run.Took))
	}
	for _, g := range reports.Group(m.run.Results) {
		if g.Result.Verdict != harness.Warn && t.because(g) == "" {
			m.err = errors.Join(m.err, fmt.Errorf("%s has no explanation in %s", g.Name(), filepath.Join(t.dir, "target.yaml")))
		}
	}
	return m
}

// killing runs a scenario that is known to kill the server on a process of its
// own. Whether the server dies may be a race within it, so there are up to
// tries of them, until one dies.
func killing(ctx context.Context, t target, id string) (run *harness.Run, err error) {
	const tries = 8
	for range tries {
		run, err = once(ctx, t, scenarios.Selection{Only: []string{id}})
		if err != nil || run.Count()[harness.Fail] > 0 {
			break
		}
	}
	return run, err
}

// once starts a process of the target, runs the selection and ends the process.
func once(ctx context.Context, t target, selection scenarios.Selection) (*harness.Run, error) {
	chosen, err := selection.Apply(scenarios.All())
	if err != nil {
		return nil, err
	}
	server, err := t.start(ctx)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	batch, err := harness.Start(ctx, &harness.Target{URL: server.url}, chosen, harness.Options{})
	if err != nil {
		return nil, err
	}
	return batch.Wait(), nil
}

// same compares the verdicts of two runs.
func same(first, run *harness.Run, n int) error {
	var err error
	for i, r := range run.Results {
		if was := first.Results[i]; was.Verdict != r.Verdict {
			err = errors.Join(err, fmt.Errorf("%s: %s in run 1, %s in run %d\n%s\n%s", r.Scenario.ID, was.Verdict, r.Verdict, n, reports.Explain(was), reports.Explain(r)))
		}
	}
	return err
}
