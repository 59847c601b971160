package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// player plays scenarios on the servers of a run, and judges what was seen.
type player struct {
	shared  *endpoint   // the server that scenarios share
	pool    *serverPool // the servers that finwait started
	known   []*rules.KnownFailure
	atOnce  int // how many plays are under way at the same time
	endRun  context.CancelCauseFunc
	probing sync.Mutex // held while a second probe finds out whether a server is dead
}

// play plays a scenario for the n-th time, probes its server, and judges the
// record. It calls undisturbed when others may be played beside it.
func (p *player) play(ctx context.Context, s *Scenario, n int, undisturbed func()) *Result {
	r := &Result{Scenario: s, Started: time.Now()}
	own := p.pool.ownServerOf(s, n)
	defer p.pool.release(own)
	defer r.setTimes()
	if p.lacksCapability(r) {
		return r
	}
	e, err := p.endpoint(ctx, s, own)
	if err != nil {
		r.Verdict, r.Err = Errored, err.Error()
		return r
	}
	barrier, over := peers.NewBarrier(s.crowdSize()+len(e.crowdProbes(s))), make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-barrier.AllLeft():
			undisturbed()
		case <-over:
		}
	}()
	if s.Stops {
		p.playAndAwaitExit(ctx, e, own, r, barrier)
	} else {
		p.playAndProbe(ctx, e, r, barrier)
	}
	return r
}

// lacksCapability tells whether a capability that the scenario needs is missing or claimed
// falsely, and sets the verdict of the result then.
func (p *player) lacksCapability(r *Result) bool {
	for _, c := range r.Scenario.Needs {
		if claim, ok := p.shared.falseClaims[c]; ok {
			r.Verdict, r.Err, r.Missing = Errored, claim, nil
			return true
		}
		if !p.shared.has[c] {
			r.Verdict, r.Missing = Skip, append(r.Missing, c)
			r.Err = cmp.Or(r.Err, p.shared.unsupported[c])
		}
	}
	return len(r.Missing) > 0
}

// endpoint returns the server for a play of the scenario: the shared one, or its own, which it
// starts. It blocks until the server is ready.
func (p *player) endpoint(ctx context.Context, s *Scenario, own *ownServer) (*endpoint, error) {
	switch {
	case own != nil:
		server, err := p.pool.start(ctx, own)
		if err != nil {
			return nil, err
		}
		e := newEndpoint(p.shared.common, server.Target(p.pool.target))
		if s.Stops {
			e.stop = server.Stop
		}
		return e, nil
	case !s.Stops:
		return p.shared, nil
	}
	// Something other than finwait starts the server again after the last scenario stopped it.
	limit := time.Now().Add(servers.ReadyDefault)
	for alive := p.shared.probe(ctx); !alive.OK; alive = p.shared.probe(ctx) {
		if ctx.Err() != nil || time.Now().After(limit) {
			return nil, fmt.Errorf("the server was not there to be stopped: %s", alive.Err)
		}
		timer := time.NewTimer(100 * time.Millisecond)
		<-timer.C
	}
	e := *p.shared
	e.stop = servers.RunLine(e.commands, e.server.StopExec, secret.Sent(e.server.URL, e.server.Header))
	return &e, nil
}

// playAndProbe plays a scenario that does not stop its server, asks for the close events, and
// finds out whether the server is alive afterwards.
func (p *player) playAndProbe(ctx context.Context, e *endpoint, r *Result, barrier *peers.Barrier) {
	r.Record = e.play(ctx, r.Scenario, contract.NewToken, barrier)
	forEachPeer(r.Record, func(_ int, one *evidence.Record) { one.Events = e.eventsAfter(ctx, one) })
	if _, busy := busyStatus(r.Record.Record); !busy && ctx.Err() == nil {
		r.Record.Alive = e.probe(ctx)
	}
	forEachPeer(r.Record, func(i int, one *evidence.Record) {
		// If finwait gave up, its RST may have caused an event. The larger a crowd is, the later
		// its peers are asked: a first event would prove nothing now, only a second one does.
		if one.GaveUp || i > 0 && len(one.Events.List) == 0 {
			return
		}
		if events := e.events(ctx, one.Token, time.Now()); len(events.List) > len(one.Events.List) {
			events.None = one.Events.None
			if len(one.Events.List) > 0 { // a second event has come, and the first had come before
				events.Came = one.Events.Came
			}
			one.Events = events
		}
	})
	dead := r.Record.Alive.Tried && !r.Record.Alive.OK && p.serverIsDead(ctx, e)
	switch {
	case r.Record.Unsupported:
		r.Verdict, r.Err = Skip, r.Record.Err
		for _, c := range r.Scenario.Needs {
			if e.contract.ByUser(c) {
				r.Missing = append(r.Missing, c)
			}
		}
	case r.skipIfBusy():
	case errors.Is(r.Record.Failure, errors.ErrUnsupported):
		r.Verdict, r.Missing, r.Err = Skip, []evidence.Capability{evidence.Platform}, r.Record.Err
	case r.Record.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Err
	case r.skipIfCutShort():
	case !dead && r.Record.Events.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Events.Err
	case dead && p.atOnce > 1: // another scenario may have killed the server while this one was played
		r.Verdict, r.Err = Errored, fmt.Sprint(context.Cause(ctx))
	default:
		p.judge(r, r.Scenario.rulesWithAlive())
		p.withdrawUnfounded(r)
	}
}

// withdrawUnfounded makes the verdict an error if the server could not be probed, or if a rule
// needs what the server claims falsely. A failure stays.
func (p *player) withdrawUnfounded(r *Result) {
	if alive := r.Record.Alive; alive.Short && r.Verdict != Fail {
		r.Verdict, r.Missing, r.Err = Errored, nil, "whether the server is still alive could not be asked: "+alive.Err
	}
	for _, f := range r.Findings {
		if claim := p.shared.falseClaims[f.Missing]; claim != "" && r.Verdict != Fail && r.Verdict != Known {
			r.Verdict, r.Missing, r.Err = Errored, nil, claim
		}
	}
}

// playAndAwaitExit plays a scenario that stops its server, and waits for the process to exit. It
// ends at once with an error if the stop signal did not reach the server.
func (p *player) playAndAwaitExit(
	ctx context.Context, e *endpoint, own *ownServer, r *Result, barrier *peers.Barrier,
) {
	playing := ctx // cancelled if the stop signal is not delivered
	if own != nil {
		var done context.CancelCauseFunc
		playing, done = own.server.CancelIfNotDelivered(ctx)
		defer done(nil)
	}
	r.Record = e.play(playing, r.Scenario, func() string { return "" }, barrier)
	if missed := (servers.SignalNotDelivered)(""); errors.As(context.Cause(playing), &missed) {
		r.Verdict, r.Err, r.Record = Errored, missed.Error(), nil
		return
	}
	if r.Record.Err != "" {
		r.Verdict, r.Err = Errored, r.Record.Err
		return
	}
	if r.skipIfCutShort() {
		return
	}
	r.Record.Exit = &evidence.Exit{}
	if own != nil {
		var err error
		if r.Record.Exit, err = own.server.Exit(ctx, r.Record.Trigger, e.profile.Patience); err != nil {
			r.Verdict, r.Err, r.Record = Errored, err.Error(), nil
			return
		}
		r.Record.ClipToExit()
	}
	p.judge(r, r.Scenario.Rules)
}

// judge checks the rules on the record of the result.
func (p *player) judge(r *Result, list []rules.Rule) { r.judge(list, p.shared.profile, p.known) }

// serverIsDead is called after a probe has failed. It tells whether a second probe fails too, and
// ends the run then. If the run has ended, it returns true and probes nothing.
func (p *player) serverIsDead(ctx context.Context, e *endpoint) bool {
	p.probing.Lock()
	defer p.probing.Unlock()
	if ctx.Err() != nil {
		return true
	}
	alive := e.probe(ctx)
	if alive.Tried && !alive.OK {
		why, advice := errors.New(alive.Err), ""
		if e == p.shared {
			why = cmp.Or(p.pool.sharedExitError(), why)
		}
		if p.atOnce > 1 {
			advice = "; what killed it shows when the scenarios run one at a time (--at-once 1)"
		}
		p.endRun(fmt.Errorf("the target is gone: %w%s", why, advice))
	}
	return ctx.Err() != nil // which endRun has made true, if the server is dead
}

// endIfUnavailable is called when no play is under way. A server that refused connections with HTTP
// 503 and still does has no others: it is gone, such as one whose proxy answers.
func (p *player) endIfUnavailable(ctx context.Context) {
	if p.shared.admission.unavailable() {
		p.shared.admission.alone.Store(true)
		p.serverIsDead(ctx, p.shared)
	}
}
