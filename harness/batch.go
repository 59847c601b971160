package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/sockets"
)

// All scenarios are under way at the same time, and nearly all of their time
// is waiting. What is not is rationed, because times are only as true as the
// CPUs are free: a few peers at a time have their turn, from dialing until the
// first reactions to the trigger have had their time; and so have probes. A
// server that is slow to connect, or to end a probe, must not hold up the rest.
// (A listen backlog that overflows would also delay a SYN by a second, tcp(7).)
const (
	turns     = 3
	opening   = 25 * time.Millisecond // from dialing until the turn ends without a trigger
	reactions = 8 * time.Millisecond  // from the trigger; a server on loopback answers within one
)

// Options say how a batch runs.
type Options struct {
	AtOnce int // how many plays of scenarios run at the same time; 0: all
	Repeat int // how often each scenario is played; 0: once
	Known  []*rules.KnownFailure
}

// Batch is a run under way.
type Batch struct {
	given    *Target
	target   *Target // as it is reached
	atOnce   int
	repeat   int
	profile  rules.Profile
	known    []*rules.KnownFailure
	has      map[evidence.Capability]bool
	lies     map[evidence.Capability]string // commands of the contract that are claimed and not obeyed
	refused  map[evidence.Capability]string // those whose command line exits with 127, and with what words
	observer *sockets.Observer              // nil: sockets are not observed, unseen says why
	unseen   string
	run      *Run

	cancel    context.CancelCauseFunc
	turns     chan struct{}
	gathering *sync.Mutex // one crowd at a time opens its connections
	results   chan *Result
	slots     map[string]*slot // by scenario id
	ended     chan struct{}
	dying     *sync.Mutex
	short     chan error // the first [peers.Shortage]

	main  *Server                     // that the scenarios share; nil: it is not ours
	own   map[string][]*place         // of scenarios that have one of their own, for each play
	rooms *rooms                      // for these
	stop  func(context.Context) error // how the scenario stops its server; nil: it does not
}

// Start checks the target with one connection, finds out what it and this host
// can do, and starts all scenarios at the same time. It blocks for the check
// only; its error is one line: the target is not reachable, or not a WebSocket
// server. A cancelled ctx ends every scenario with what was measured.
func Start(ctx context.Context, t *Target, scenarios []*Scenario, o Options) (*Batch, error) {
	profile, err := t.Profile.WithDefaults()
	if err != nil {
		return nil, err
	}
	if len(scenarios) == 0 {
		return nil, errors.New("no scenario is selected")
	}
	if t.URL == nil || t.URL.Scheme != "ws" && t.URL.Scheme != "wss" || t.URL.Host == "" {
		return nil, errors.New("the URL is none of a WebSocket server: give one such as ws://127.0.0.1:8080/")
	}
	stops := slices.ContainsFunc(scenarios, func(s *Scenario) bool { return s.Stops })
	if stops && t.Process != nil && profile.StopLimit() >= profile.Patience {
		return nil, fmt.Errorf("patience %s does not reach past the stop timeout with its tolerance (%s): raise --patience or lower --stop-timeout", profile.Patience, profile.StopLimit())
	}
	o.Repeat = max(o.Repeat, 1)
	if plays := o.Repeat * len(scenarios); o.AtOnce <= 0 || o.AtOnce > plays {
		o.AtOnce = plays
	}
	t = t.forRun()
	b := &Batch{
		given: t, target: t, atOnce: o.AtOnce, repeat: o.Repeat, profile: profile, known: o.Known, has: map[evidence.Capability]bool{}, lies: map[evidence.Capability]string{}, refused: map[evidence.Capability]string{},
		turns:     make(chan struct{}, turns),
		results:   make(chan *Result, 3*len(scenarios)), // each may be corrected, twice
		slots:     map[string]*slot{},
		dying:     &sync.Mutex{},
		short:     make(chan error, 1),
		gathering: &sync.Mutex{},
		own:       map[string][]*place{},
		ended:     make(chan struct{}),
		run:       &Run{Target: t.String(), Profile: profile, Started: time.Now(), Results: make([]*Result, len(scenarios))},
	}
	if len(profile.Weights) > 0 {
		b.run.Notes = append(b.run.Notes, "rules with a weight of their own: "+profile.Weights.String())
	}
	for _, s := range scenarios {
		if b.slots[s.ID] != nil {
			return nil, fmt.Errorf("scenario %s stands twice in the selection", s.ID)
		}
		b.slots[s.ID] = &slot{done: make(chan struct{})}
	}
	if err := b.capacity(scenarios); err != nil {
		return nil, err
	}
	if t.Process != nil {
		if err := b.startServers(ctx, scenarios); err != nil {
			return nil, err
		}
	}
	if b.observer, err = sockets.Open(); err != nil {
		b.unseen = err.Error()
	}
	b.has[evidence.CanStop] = t.Process != nil || t.StopExec != ""
	b.has[evidence.ChosenCode], b.has[evidence.ChosenReason] = t.chosen()
	wanted := func(c evidence.Capability) bool {
		return c == evidence.CanEvents || slices.ContainsFunc(scenarios, func(s *Scenario) bool { return slices.Contains(s.Needs, c) })
	}
	if err := b.preflight(ctx, wanted); err != nil {
		if ended := b.serverEnded(); ended != nil && ctx.Err() == nil {
			err = ended
		}
		b.close()
		return nil, err
	}
	b.run.Has = b.has
	ctx, b.cancel = context.WithCancelCause(ctx)
	go b.all(ctx, scenarios)
	return b, nil
}

// Results delivers every result as it is there, at the end those again that are
// [Result.Corrected], and is closed after the last. It is buffered: nobody has to
// read it.
func (b *Batch) Results() <-chan *Result { return b.results }

// Await blocks until the scenario's result is there, or ctx is done.
func (b *Batch) Await(ctx context.Context, id string) (*Result, error) {
	slot := b.slots[id]
	if slot == nil {
		return nil, fmt.Errorf("scenario %s is not part of this run", id)
	}
	select {
	case <-slot.done:
		slot.mu.Lock()
		defer slot.mu.Unlock()
		return slot.result, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Wait blocks until every scenario has its result.
func (b *Batch) Wait() *Run {
	<-b.ended
	return b.run
}

func (b *Batch) all(ctx context.Context, scenarios []*Scenario) {
	var running sync.WaitGroup
	atOnce := make(chan struct{}, b.atOnce)
	play := func(i, n int) (rally *peers.Rally, done <-chan struct{}) {
		s, over := scenarios[i], make(chan struct{})
		atOnce <- struct{}{}
		rally = peers.NewRally(s.others())
		running.Go(func() {
			defer func() { <-atOnce; close(over) }()
			slot := b.slots[s.ID]
			if r := b.one(ctx, s, n, rally); slot.add(r, b.repeat) {
				b.run.Results[i] = slot.result
				b.results <- slot.result
			}
		})
		return rally, over
	}
	// Those that disturb others go first, one after another. Its peers may still
	// hang, but what it has done to others is over when its crowd has left.
	alone, rest, last := b.partition(scenarios)
	for n := range b.repeat {
		for _, i := range alone {
			rally, done := play(i, n)
			select {
			case <-rally.Finished():
			case <-done:
			}
		}
	}
	for n := range b.repeat {
		for _, i := range rest {
			play(i, n)
		}
	}
	running.Wait()
	b.askAgain(ctx, scenarios)
	for n := range b.repeat {
		for _, i := range last { // they stop the server
			_, done := play(i, n)
			<-done
		}
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		b.run.Stopped = err.Error()
	} else {
		b.disprove()
	}
	b.cancel(nil)
	b.close()
	b.run.Took = time.Since(b.run.Started)
	close(b.results)
	close(b.ended)
}

// partition tells, by index, which scenarios run alone at first, which run at
// the same time, and which come last, one after another.
func (b *Batch) partition(scenarios []*Scenario) (alone, rest, last []int) {
	for i, s := range scenarios {
		switch {
		case b.own[s.ID] != nil:
			rest = append(rest, i)
		case s.Stops:
			last = append(last, i)
		case s.Alone:
			alone = append(alone, i)
		default:
			rest = append(rest, i)
		}
	}
	return alone, rest, last
}

func (b *Batch) close() {
	if b.main != nil {
		b.main.Kill()
		b.run.Output = b.main.written()
	}
	for _, places := range b.own {
		for _, p := range places {
			if p.server != nil {
				p.server.Kill()
			}
		}
	}
	b.given.commands.End()
	if b.observer != nil {
		_ = b.observer.Close()
	}
}

// one runs a scenario for the n-th time, probes the target, and judges the
// record.
func (b *Batch) one(ctx context.Context, s *Scenario, n int, rally *peers.Rally) *Result {
	r := &Result{Scenario: s, Started: time.Now()}
	defer b.place(s, n).leave(b.rooms)
	defer r.date()
	for _, c := range s.Needs {
		if lie, ok := b.lies[c]; ok {
			r.Verdict, r.Err = Errored, lie
			return r
		}
		if !b.has[c] {
			r.Missing = append(r.Missing, c)
			r.Err = cmp.Or(r.Err, b.refused[c])
		}
	}
	if len(r.Missing) > 0 {
		r.Verdict = Skip
		return r
	}
	own, err := b.at(ctx, s, n)
	if err != nil {
		r.Verdict, r.Err = Errored, err.Error()
		return r
	}
	b = own
	if s.Stops {
		return b.stopped(ctx, s, n, r, rally)
	}
	r.Record = b.play(ctx, s, newToken, rally)
	askEach(r.Record, func(_ int, one *evidence.Record) { one.Events = b.eventsAfter(ctx, one) })
	if ctx.Err() == nil {
		r.Record.Alive = b.probe(ctx)
	}
	askEach(r.Record, func(i int, one *evidence.Record) {
		if one.GaveUp || i > 0 && len(one.Events.List) == 0 {
			return // finwait's RST may bring one about; or when it would be asked depends on the size of the crowd
		}
		if again := b.events(ctx, one.Token, time.Now()); len(again.List) > len(one.Events.List) {
			one.Events = again // a second event came later
		}
	})
	switch dead := r.Record.Alive.Tried && !r.Record.Alive.OK && b.dead(ctx); {
	case r.Record.Refused:
		r.Verdict, r.Err = Skip, r.Record.Err
		for _, c := range s.Needs {
			if b.target.has(c) {
				r.Missing = append(r.Missing, c)
			}
		}
		return r
	case r.Record.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Err
		return r
	case r.cutShort():
		return r
	case !dead && r.Record.Events.Err != "":
		r.Verdict, r.Err = Errored, r.Record.Events.Err
		return r
	case dead && b.atOnce > 1: // another scenario may have killed it, and this record may show its death
		r.Verdict, r.Err = Errored, fmt.Sprint(context.Cause(ctx))
		return r
	}
	b.judge(r, s.judgedBy())
	if alive := r.Record.Alive; alive.Short && r.Verdict != Fail {
		r.Verdict, r.Missing, r.Err = Errored, nil, "whether the server is still alive could not be asked: "+alive.Err
	}
	for _, f := range r.Findings {
		if lie := b.lies[f.Missing]; lie != "" && r.Verdict != Fail && r.Verdict != Known {
			r.Verdict, r.Missing, r.Err = Errored, nil, lie
		}
	}
	return r
}

// date gives the result the time of its peer, from dialing until it stopped
// looking, or until the server that it stopped had exited: not of what waited
// for its turn before.
func (r *Result) date() {
	if r.Record == nil || r.Record.Start.IsZero() {
		r.Took = time.Since(r.Started)
		return
	}
	end := r.Record.Stopped
	if exit := r.Record.Exit; exit != nil {
		end = max(end, exit.At)
	}
	r.Started, r.Took = r.Record.Start, r.Record.Trigger.Add(end).Sub(r.Record.Start)
}

// judge checks the rules on the record.
func (b *Batch) judge(r *Result, rules []rules.Rule) {
	for _, rule := range rules {
		f := rule.Judge(r.Record, b.profile)
		f.Excuse(b.known, r.Scenario.ID, time.Now())
		r.Findings = append(r.Findings, f)
	}
	r.Verdict, r.Missing = verdict(r.Findings, r.Scenario.Asks)
}

// dead tells, after a probe has failed, whether the target answers nobody any
// more: a second one fails too. It then ends the run.
func (b *Batch) dead(ctx context.Context) bool {
	b.dying.Lock()
	defer b.dying.Unlock()
	if ctx.Err() != nil {
		return true
	}
	again := b.probe(ctx)
	if again.Tried && !again.OK {
		why, advice := errors.New(again.Err), ""
		if ended := b.serverEnded(); ended != nil {
			why = ended
		}
		if b.atOnce > 1 {
			advice = "; what killed it shows when the scenarios run one at a time"
		}
		b.cancel(fmt.Errorf("the target is gone: %w%s", why, advice))
	}
	return ctx.Err() != nil
}

// Target is the target's name, see [Target.String].
func (b *Batch) Target() string { return b.run.Target }

// Notes are what the reader of the results must know beforehand.
func (b *Batch) Notes() []string { return b.run.Notes }
