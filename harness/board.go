package harness

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// board is where results come to stand while a run is under way.
type board struct {
	run    *Run
	repeat int              // plays of each scenario
	slots  map[string]*slot // by scenario id

	// results delivers each result, and again each that was corrected: at most
	// twice. It is never full.
	results chan *Result
}

// slot is where one scenario's result comes to stand.
type slot struct {
	index int           // in the run's results
	done  chan struct{} // closed when the result is there

	mu     sync.Mutex
	plays  []*Result
	result *Result
}

// newBoard has a slot for each scenario, none of which may stand there twice.
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

// add takes the result of one play; the last play of a scenario makes its result.
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

// plays are the results of all plays of a scenario so far.
func (b *board) plays(id string) []*Result {
	s := b.slots[id]
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plays)
}

// replay puts other results in the place of a scenario's plays.
func (b *board) replay(id string, plays []*Result) {
	s := b.slots[id]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = plays
	s.result = worst(plays)
	s.result.Corrected = true
	b.publish(s)
}

// correct puts another result in the place of a scenario's.
func (b *board) correct(r *Result) {
	s := b.slots[r.Scenario.ID]
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Corrected = true
	s.result = r
	b.publish(s)
}

// publish gives the slot's result out; s.mu is held.
func (b *board) publish(s *slot) {
	b.run.Results[s.index] = s.result
	b.results <- s.result
}

// await blocks until the scenario's result is there, or ctx is done.
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
