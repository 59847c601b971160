package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// Options say how a batch runs.
type Options struct {
	AtOnce int                   // how many plays run at the same time; 0: all
	Repeat int                   // how often each scenario is played; 0: once
	Known  []*rules.KnownFailure // breaches that are expected, and excused

	Witness        WitnessMode // who tells how long the server's process holds its sockets
	Witnesses      int         // how many further peers play a script and ask on the wire, at most; 0: WitnessesDefault
	MaxConnections int         // how many connections are open at the same time, crowds aside; 0: MaxConnectionsDefault, or all scenarios
}

// Batch is a handle on a run that was started.
type Batch struct {
	run   *Run
	notes []string // those that were known beforehand
	board *board
	ended chan struct{} // closed when the run is complete

	correctable bool // another result may take the place of one, until the run is complete
}

// Start starts the servers that the run needs, checks the target with one connection, finds out
// what the target and this host can do, and starts to play the scenarios. It blocks until then,
// and does not wait for results. The error is one line: the target is not reachable, or is no
// WebSocket server, or the run is not possible as it was asked for. If ctx is cancelled, every
// scenario ends with what was measured.
func Start(ctx context.Context, t *servers.Target, scenarios []*Scenario, o Options) (*Batch, error) {
	return start(ctx, t, scenarios, o, openObserver)
}

// start is [Start] with the function that opens the observers of sockets.
func start(
	ctx context.Context, t *servers.Target, scenarios []*Scenario, o Options,
	observe func(context.Context, *servers.Target, WitnessMode) (observers, error),
) (*Batch, error) {
	profile, err := checkSelection(t, scenarios)
	if err != nil {
		return nil, err
	}
	o.Repeat = max(o.Repeat, 1)
	if plays := o.Repeat * len(scenarios); o.AtOnce <= 0 || o.AtOnce > plays {
		o.AtOnce = plays
	}
	if o.MaxConnections > 0 { // half of them are left for the witnesses
		o.AtOnce = min(o.AtOnce, max(1, o.MaxConnections/2))
	}
	run := &Run{Target: t.String(), Profile: profile, Started: time.Now()}
	if len(profile.Weights) > 0 {
		run.Notes = append(run.Notes, "rules with a weight of their own: "+profile.Weights.String())
	}
	board, err := newBoard(run, scenarios, o.Repeat)
	if err != nil {
		return nil, err
	}
	if err := checkCapacity(t, scenarios, o); err != nil {
		return nil, err
	}
	commands := process.NewCommands()
	common := newCommon(profile, commands)
	if common.observers, err = observe(ctx, t, o.Witness); err != nil {
		return nil, err
	}
	pool, err := startServerPool(ctx, t, commands, scenarios, o)
	if err != nil {
		common.end()
		return nil, err
	}
	run.Notes = append(run.Notes, pool.notes...)
	e := newEndpoint(common, pool.sharedTarget())
	e.witnessing = newWitnessing(t, scenarios, o)
	e.admission.alone.Store(o.AtOnce == 1)
	tearDown := func() {
		run.Output = pool.end()
		e.end()
	}
	notes, err := e.preflight(ctx, func(c evidence.Capability) bool {
		needs := func(s *Scenario) bool { return slices.Contains(s.Needs, c) }
		return c == evidence.CanEvents || slices.ContainsFunc(scenarios, needs)
	})
	if err != nil {
		if ended := pool.sharedExitError(); ended != nil && ctx.Err() == nil {
			err = ended
		}
		tearDown()
		return nil, err
	}
	run.Notes, run.Has = append(append(run.Notes, notes...), e.witnessingNotes(scenarios, o)...), e.has
	b := &Batch{
		run: run, notes: slices.Clone(run.Notes), board: board, ended: make(chan struct{}),
		correctable: e.has[evidence.CanEvents] || len(o.Known) > 0,
	}
	ctx, endRun := context.WithCancelCause(ctx)
	p := &player{shared: e, pool: pool, known: o.Known, atOnce: o.AtOnce, endRun: endRun}
	s := newSchedule(scenarios, pool.hasOwnServers)
	s.repeat, s.atOnce = o.Repeat, o.AtOnce
	s.play = func(i, n int, undisturbed func()) { board.add(p.play(ctx, scenarios[i], n, undisturbed)) }
	s.beforeStopping = func() {
		p.correctForLateEvents(ctx, board, scenarios)
		p.endIfUnavailable(ctx)
	}
	go func() {
		s.run()
		if err := context.Cause(ctx); err != nil {
			run.Stopped = err.Error()
		} else {
			failStaleEntries(board, o.Known)
		}
		for _, note := range []string{e.admission.note(), e.crew.note()} {
			if note != "" {
				run.Notes = append(run.Notes, note)
			}
		}
		endRun(nil)
		run.Notes = append(run.Notes, e.observerFailure()...)
		tearDown()
		run.Took = time.Since(run.Started)
		close(board.results)
		close(b.ended)
	}()
	return b, nil
}

// checkSelection returns the profile with its defaults, or an error of one line if the target,
// its limits and the scenarios cannot be run.
func checkSelection(t *servers.Target, scenarios []*Scenario) (rules.Profile, error) {
	profile, err := t.Profile.WithDefaults()
	switch {
	case err != nil:
		return profile, err
	case len(scenarios) == 0:
		return profile, errors.New("no scenario is selected")
	case t.URL == nil || t.URL.Scheme != "ws" && t.URL.Scheme != "wss" || t.URL.Host == "":
		return profile, errors.New("the URL is none of a WebSocket server: give one such as ws://127.0.0.1:8080/")
	}
	stops := slices.ContainsFunc(scenarios, func(s *Scenario) bool { return s.Stops })
	if stops && t.Process != nil && profile.StopLimit() >= profile.Patience {
		const reason = "patience %s does not reach past the stop timeout with its tolerance (%s): " +
			"raise --patience or lower --stop-timeout"
		return profile, fmt.Errorf(reason, profile.Patience, profile.StopLimit())
	}
	return profile, nil
}

// Target returns the target's name, see [servers.Target.String].
func (b *Batch) Target() string { return b.run.Target }

// Notes returns what the reader of the results must know beforehand.
func (b *Batch) Notes() []string { return b.notes }

// Results returns a channel of every result, in the order in which they come. Results that are
// [Result.Corrected] follow at the end, and then the channel is closed. It is buffered for all
// of them, so that nobody has to read it.
func (b *Batch) Results() <-chan *Result { return b.board.results }

// Await blocks until the scenario has a result, or ctx is done. It fails if the scenario is not
// part of the run.
func (b *Batch) Await(ctx context.Context, id string) (*Result, error) { return b.board.await(ctx, id) }

// AwaitFinal blocks until the scenario has a result whose place no other can take, or ctx is
// done. If the application tells close events, or if known failures are given, that is when the
// run is complete, see [Result.Corrected].
func (b *Batch) AwaitFinal(ctx context.Context, id string) (*Result, error) {
	if b.correctable {
		select {
		case <-b.ended:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return b.Await(ctx, id)
}

// Wait blocks until the run is complete: every scenario has its final result.
func (b *Batch) Wait() *Run {
	<-b.ended
	return b.run
}
