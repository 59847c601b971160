package harness

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
)

// askedAtOnce is how many connections ask for events again at the same time:
// each may wait for the server to end TCP, see ProbePatience.
const askedAtOnce = 32

// askedMeanwhile is the same for one scenario while others are measured.
const askedMeanwhile = 8

// askEach lets ask ask for the events of everyone of the record: some at the same
// time, as each may take a [ProbePatience], which a crowd would add up to seconds.
func askEach(r *evidence.Record, ask func(i int, one *evidence.Record)) {
	var asking sync.WaitGroup
	gate := make(chan struct{}, askedMeanwhile)
	for i, one := range r.Everyone() {
		gate <- struct{}{}
		asking.Go(func() {
			defer func() { <-gate }()
			ask(i, one)
		})
	}
	asking.Wait()
}

// askAgain asks for the close events of every connection once more, before the
// server is left or stopped: a second one may have come long after the first.
// What was given out stays as it is; a corrected result comes behind it.
func (p *player) askAgain(ctx context.Context, b *board, scenarios []*Scenario) {
	if !p.shared.has[evidence.CanEvents] {
		return
	}
	var asking sync.WaitGroup
	gate := make(chan struct{}, askedAtOnce)
	for _, s := range scenarios {
		if p.fleet.has(s) {
			continue // its server has ended
		}
		asking.Go(func() {
			plays, late := b.plays(s.ID), false
			corrected := make([]*Result, len(plays))
			var correcting sync.WaitGroup
			for n, play := range plays {
				correcting.Go(func() { corrected[n] = p.correct(ctx, play, gate) })
			}
			correcting.Wait()
			for n, again := range corrected {
				if again != nil {
					plays[n], late = again, true
				}
			}
			if late {
				b.replay(s.ID, plays)
			}
		})
	}
	asking.Wait()
}

// correct judges a play again by the second events that came since; nil: none did.
func (p *player) correct(ctx context.Context, was *Result, gate chan struct{}) *Result {
	if len(was.Findings) == 0 {
		return nil // it was not carried out
	}
	record, late := *was.Record, false
	record.Crowd = slices.Clone(record.Crowd)
	everyone := record.Everyone()
	answers := make([]evidence.AppEvents, len(everyone))
	var asking sync.WaitGroup
	for n, one := range everyone {
		if one.GaveUp || len(one.Events.List) == 0 {
			continue // finwait's RST may bring one about; or none came while it was due, and that is the finding
		}
		asking.Go(func() {
			gate <- struct{}{}
			answers[n] = p.shared.events(ctx, one.Token, time.Now())
			<-gate
		})
	}
	asking.Wait()
	for n, one := range everyone {
		again := answers[n]
		if len(again.List) <= len(one.Events.List) {
			continue
		}
		late = true
		if n == 0 {
			record.Events = again
			continue
		}
		peer := *one
		peer.Events = again
		record.Crowd[n-1] = &peer
	}
	if !late {
		return nil
	}
	out := &Result{Scenario: was.Scenario, Record: &record, Started: was.Started, Took: was.Took}
	p.judge(out, was.Scenario.judgedBy())
	return out
}
