package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// serversAtOnce is how many servers of single plays run at the same time: one play of
// each scenario is never held up.
func serversAtOnce(scenarios int) int { return max(scenarios, 8, 2*runtime.NumCPU()) }

// place is a server that one play of a scenario has for itself.
type place struct {
	once   sync.Once
	server *Server
	err    error // it could not be started
}

// rooms bound how many servers of single plays run at the same time, and how many of
// them start.
type rooms struct{ running, starting chan struct{} }

// start starts the server, once, when there is room for it. It has the room until leave.
func (p *place) start(ctx context.Context, t *Target, r *rooms) {
	p.once.Do(func() {
		select {
		case r.running <- struct{}{}:
		case <-ctx.Done():
			p.err = context.Cause(ctx)
			return
		}
		r.starting <- struct{}{}
		p.server, p.err = t.StartProcess(ctx)
		<-r.starting
		if p.err != nil {
			<-r.running
		}
	})
}

// leave ends the server, if it was started, and gives its room to another.
func (p *place) leave(r *rooms) {
	if p != nil && p.server != nil {
		p.server.Kill()
		<-r.running
	}
}

// startServers starts the target's processes: one that scenarios share, and one
// for each play of a scenario that disturbs others or stops it. As many as there is
// room for are ready before anything is measured; the others start when earlier plays
// have ended. Where few plays run at the same time, each starts its own.
func (b *Batch) startServers(ctx context.Context, scenarios []*Scenario) (err error) {
	if b.main, err = b.target.StartProcess(ctx); err != nil {
		return err
	}
	var places []*place // in the order of the plays
	for range b.repeat {
		for _, s := range scenarios {
			if s.ownsServer() {
				places = append(places, &place{})
				b.own[s.ID] = append(b.own[s.ID], places[len(places)-1])
			}
		}
	}
	most := serversAtOnce(len(places) / b.repeat)
	b.rooms = &rooms{running: make(chan struct{}, most), starting: make(chan struct{}, runtime.NumCPU())}
	if len(places) > most && b.atOnce > most {
		b.run.Notes = append(b.run.Notes, fmt.Sprintf("%d plays need a server of their own: %d of these run at the same time, the others start as they end", len(places), most))
	}
	if b.atOnce >= b.repeat*len(scenarios) {
		var starting sync.WaitGroup
		for _, p := range places[:min(len(places), most)] {
			starting.Go(func() { p.start(ctx, b.given, b.rooms) })
		}
		starting.Wait()
	}
	b.target = b.main.target(b.given)
	return nil
}

// at is the batch as the n-th play of the scenario sees it: with a server of its own where it has
// one, and what stops it where it does.
func (b *Batch) at(ctx context.Context, s *Scenario, n int) (*Batch, error) {
	own, p := *b, b.place(s, n)
	if p != nil {
		if p.start(ctx, b.given, b.rooms); p.err != nil {
			return nil, p.err
		}
		own.target = p.server.target(b.given)
	}
	switch {
	case !s.Stops:
	case p != nil:
		own.stop = p.server.Stop
	default: // something else starts it again after the scenario before
		limit := time.Now().Add(readyDefault)
		for alive := own.probe(ctx); !alive.OK; alive = own.probe(ctx) {
			if ctx.Err() != nil || time.Now().After(limit) {
				return nil, fmt.Errorf("the server was not there to be stopped: %s", alive.Err)
			}
			timer := time.NewTimer(100 * time.Millisecond)
			<-timer.C
		}
		own.stop = shell(b.target.commands, b.target.StopExec)
	}
	return &own, nil
}

// place is the server of the n-th play of a scenario; nil: it has none of its own.
func (b *Batch) place(s *Scenario, n int) *place {
	if places := b.own[s.ID]; places != nil {
		return places[n]
	}
	return nil
}

// stopped runs a scenario that stops its server, and waits for the end of the
// process. It ends at once where the signal did not reach the server.
func (b *Batch) stopped(ctx context.Context, s *Scenario, n int, r *Result, rally *peers.Rally) *Result {
	p, reached := b.place(s, n), ctx
	if p != nil {
		var done context.CancelCauseFunc
		reached, done = p.server.reached(ctx)
		defer done(nil)
	}
	r.Record = b.play(reached, s, func() string { return "" }, rally)
	if missed := (signalMissed)(""); errors.As(context.Cause(reached), &missed) {
		r.Verdict, r.Err, r.Record = Errored, missed.Error(), nil
		return r
	}
	if r.Record.Err != "" {
		r.Verdict, r.Err = Errored, r.Record.Err
		return r
	}
	if r.cutShort() {
		return r
	}
	r.Record.Exit = &evidence.Exit{}
	if p != nil {
		r.Record.Exit = p.server.exit(ctx, r.Record.Trigger, b.profile.Patience)
		r.Record.ClipToExit()
	}
	b.judge(r, s.Rules)
	return r
}

// exit waits until the process and what it started have ended, or the patience
// is over; then they are killed.
func (s *Server) exit(ctx context.Context, trigger time.Time, patience time.Duration) *evidence.Exit {
	ctx, cancel := context.WithDeadline(ctx, trigger.Add(patience))
	defer cancel()
	e := &evidence.Exit{Observed: true}
	select {
	case <-s.Exited():
	case <-ctx.Done():
	}
	select {
	case <-s.Exited():
		all, gone := s.Gone(ctx)
		e.At, e.Gone, e.Left = s.At().Sub(trigger), all.Sub(trigger), !gone
		e.Killed = e.At >= patience // what the peers' giving up brought about does not count
	default:
		e.At, e.Killed = time.Since(trigger), true
		e.Gone = e.At
	}
	s.Kill()
	e.Status, e.Words = s.Status()
	e.Output = s.written()
	return e
}

// serverEnded tells how the server ended that finwait started and the scenarios share; nil:
// it runs, or is another. Its sockets close shortly before its end is told.
func (b *Batch) serverEnded() error {
	if b.main == nil || b.target.URL != b.main.URL {
		return nil
	}
	timer := time.NewTimer(goodbye)
	defer timer.Stop()
	select {
	case <-b.main.Exited():
	case <-timer.C:
		return nil
	}
	_, words := b.main.Status()
	return fmt.Errorf("the server ended (%s)%s", words, b.main.lastWords())
}
