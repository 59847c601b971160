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
	shared  *endpoint // the server that scenarios share
	fleet   *fleet    // of the servers that finwait started
	known   []*rules.KnownFailure
	atOnce  int // plays under way at the same time
	endRun  context.CancelCauseFunc
	looking sync.Mutex // whether the shared server is dead is asked once
}

// play plays a scenario for the n-th time, probes its server, and judges the
// record. It calls undisturbed when others may be played beside it.
func (p *player) play(ctx context.Context, s *Scenario, n int, undisturbed func()) *Result {
	r := &Result{Scenario: s, Started: time.Now()}
	own := p.fleet.place(s, n)
	defer p.fleet.leave(own)
	defer r.date()
	if p.cannot(r) {
		return r
	}
	e, err := p.endpoint(ctx, s, own)
	if err != nil {
		r.Verdict, r.Err = Errored, err.Error()
		return r
	}
	barrier, over := peers.NewBarrier(s.others()), make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-barrier.AllLeft():
			undisturbed()
		case <-over:
		}
	}()
	if s.Stops {
		p.stopped(ctx, e, own, r, barrier)
	} else {
		p.left(ctx, e, r, barrier)
	}
	return r
}

// cannot tells whether a capability is missing that the scenario needs, or claimed
// falsely; the result says so.
func (p *player) cannot(r *Result) bool {
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

// endpoint is the server that a play of the scenario has: the shared one, or its own,
// which is started when there is room for it. It blocks until the server is there.
func (p *player) endpoint(ctx context.Context, s *Scenario, own *place) (*endpoint, error) {
	switch {
	case own != nil:
		server, err := p.fleet.start(ctx, own)
		if err != nil {
			return nil, err
		}
		e := newEndpoint(p.shared.common, server.Target(p.fleet.target))
		if s.Stops {
			e.stop = server.Stop
		}
		return e, nil
	case !s.Stops:
		return p.shared, nil
	}
	// Something else starts the server again after the scenario before.
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

// left plays a scenario that leaves the server to others.
func (p *player) left(ctx context.Context, e *endpoint, r *Result, barrier *peers.Barrier) {
	r.Record = e.play(ctx, r.Scenario, contract.NewToken, barrier)
	askEach(r.Record, func(_ int, one *evidence.Record) { one.Events = e.eventsAfter(ctx, one) })
	if ctx.Err() == nil {
		r.Record.Alive = e.probe(ctx)
	}
	askEach(r.Record, func(i int, one *evidence.Record) {
		if one.GaveUp || i > 0 && len(one.Events.List) == 0 {
			return // finwait's RST may bring one about; or when it would be asked depends on the size of the crowd
		}
		if again := e.events(ctx, one.Token, time.Now()); len(again.List) > len(one.Events.List) {
			one.Events = again // a second event came later
		}
	})
	dead := r.Record.Alive.Tried && !r.Record.Alive.OK && p.dead(ctx, e)
	switch {
	case r.Record.Unsupported:
		r.Verdict, r.Err = Skip, r.Record.Err
		for _, c := range r.Scenario.Needs {
			if e.contract.ByUser(c) {
				r.Missing = append(r.Missing, c)
			}
		}
	case r.Record.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Err
	case r.cutShort():
	case !dead && r.Record.Events.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Events.Err
	case dead && p.atOnce > 1: // another scenario may have killed it, and this record may show its death
		r.Verdict, r.Err = Errored, fmt.Sprint(context.Cause(ctx))
	default:
		p.judge(r, r.Scenario.judgedBy())
		p.doubt(r)
	}
}

// doubt takes a verdict back that rests on what could not be asked, or on a false
// claim of the server. A failure stands.
func (p *player) doubt(r *Result) {
	if alive := r.Record.Alive; alive.Short && r.Verdict != Fail {
		r.Verdict, r.Missing, r.Err = Errored, nil, "whether the server is still alive could not be asked: "+alive.Err
	}
	for _, f := range r.Findings {
		if claim := p.shared.falseClaims[f.Missing]; claim != "" && r.Verdict != Fail && r.Verdict != Known {
			r.Verdict, r.Missing, r.Err = Errored, nil, claim
		}
	}
}

// stopped plays a scenario that stops its server, and waits for the end of the
// process. It ends at once where the signal did not reach the server.
func (p *player) stopped(ctx context.Context, e *endpoint, own *place, r *Result, barrier *peers.Barrier) {
	reached := ctx
	if own != nil {
		var done context.CancelCauseFunc
		reached, done = own.server.Reached(ctx)
		defer done(nil)
	}
	r.Record = e.play(reached, r.Scenario, func() string { return "" }, barrier)
	if missed := (servers.SignalMissed)(""); errors.As(context.Cause(reached), &missed) {
		r.Verdict, r.Err, r.Record = Errored, missed.Error(), nil
		return
	}
	if r.Record.Err != "" {
		r.Verdict, r.Err = Errored, r.Record.Err
		return
	}
	if r.cutShort() {
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

// judge checks the rules on the record.
func (p *player) judge(r *Result, list []rules.Rule) { r.judge(list, p.shared.profile, p.known) }

// dead tells, after a probe has failed, whether the server answers nobody any
// more: a second one fails too. It then ends the run.
func (p *player) dead(ctx context.Context, e *endpoint) bool {
	p.looking.Lock()
	defer p.looking.Unlock()
	if ctx.Err() != nil {
		return true
	}
	again := e.probe(ctx)
	if again.Tried && !again.OK {
		why, advice := errors.New(again.Err), ""
		if e == p.shared {
			why = cmp.Or(p.fleet.sharedEnded(), why)
		}
		if p.atOnce > 1 {
			advice = "; what killed it shows when the scenarios run one at a time"
		}
		p.endRun(fmt.Errorf("the target is gone: %w%s", why, advice))
	}
	return ctx.Err() != nil
}
