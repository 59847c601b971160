package harness

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// board holds the results of a run while it is under way.
type board struct {
	run    *Run
	repeat int              // plays of each scenario
	slots  map[string]*slot // by scenario id

	// results delivers each result, and a corrected result again, at most twice. It has room
	// for all of them, so that sending never blocks.
	results chan *Result
}

// slot holds the result of one scenario.
type slot struct {
	index int           // of the result in Run.Results
	done  chan struct{} // closed when there is a result

	mu     sync.Mutex
	plays  []*Result // one for each play so far
	result *Result   // nil until all plays are over
}

// newBoard returns a board with a slot for each scenario. It fails if a scenario occurs twice.
func newBoard(run *Run, scenarios []*Scenario, repeat int) (*board, error) {
	b := &board{run: run, repeat: repeat, slots: map[string]*slot{}, results: make(chan *Result, 3*len(scenarios))}
	run.Results = make([]*Result, len(scenarios))
	for i, s := range scenarios {
		if b.slots[s.ID] != nil {
			return nil, fmt.Errorf("scenario %s stands twice in the selection", s.ID)
		}
		b.slots[s.ID] = &slot{index: i, done: make(chan struct{})}
	}
	return b, nil
}

// add takes the result of one play. When it is the last play of a scenario, the scenario has
// its result.
func (b *board) add(r *Result) {
	s := b.slots[r.Scenario.ID]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plays = append(s.plays, r); len(s.plays) < b.repeat {
		return
	}
	s.result = worst(s.plays)
	close(s.done)
	b.publish(s)
}

// plays returns the results of all plays of a scenario so far.
func (b *board) plays(id string) []*Result {
	s := b.slots[id]
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plays)
}

// replacePlays replaces the results of a scenario's plays, and publishes its corrected result.
func (b *board) replacePlays(id string, plays []*Result) {
	s := b.slots[id]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = plays
	s.result = worst(plays)
	s.result.Corrected = true
	b.publish(s)
}

// replaceResult replaces the result of a scenario, and publishes it.
func (b *board) replaceResult(r *Result) {
	s := b.slots[r.Scenario.ID]
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Corrected = true
	s.result = r
	b.publish(s)
}

// publish puts the slot's result into the run and sends it to the channel; s.mu is held.
func (b *board) publish(s *slot) {
	b.run.Results[s.index] = s.result
	b.results <- s.result
}

// await blocks until the scenario has a result, or ctx is done.
func (b *board) await(ctx context.Context, id string) (*Result, error) {
	s := b.slots[id]
	if s == nil {
		return nil, fmt.Errorf("scenario %s is not part of this run", id)
	}
	select {
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.result, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
