package harness

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
)

// So many queries for close events run at the same time. A query may take a
// [servers.ProbePatience], because it waits for the server to end TCP.
const (
	correctionQueries  = 32 // when all scenarios have been played
	queriesPerScenario = 8  // of one scenario, while others are measured
)

// forEachPeer calls ask for every peer of the record, for some at the same time: one after
// another, the queries for a crowd would take seconds. It blocks until all are done.
func forEachPeer(r *evidence.Record, ask func(i int, one *evidence.Record)) {
	var asking sync.WaitGroup
	gate := make(chan struct{}, queriesPerScenario)
	for i, one := range r.Everyone() {
		gate <- struct{}{}
		asking.Go(func() {
			defer func() { <-gate }()
			ask(i, one)
		})
	}
	asking.Wait()
}

// correctForLateEvents asks for the close events of every connection once more, at the end of
// the run: a second event may have come long after the first. A result that was given out does
// not change; a corrected result follows it.
func (p *player) correctForLateEvents(ctx context.Context, b *board, scenarios []*Scenario) {
	if !p.shared.has[evidence.CanEvents] {
		return
	}
	var asking sync.WaitGroup
	gate := make(chan struct{}, correctionQueries)
	for _, s := range scenarios {
		if p.pool.hasOwnServers(s) {
			continue // its servers have ended
		}
		asking.Go(func() {
			plays, changed := b.plays(s.ID), false
			corrected := make([]*Result, len(plays))
			var correcting sync.WaitGroup
			for n, play := range plays {
				correcting.Go(func() { corrected[n] = p.correctedPlay(ctx, play, gate) })
			}
			correcting.Wait()
			for n, result := range corrected {
				if result != nil {
					plays[n], changed = result, true
				}
			}
			if changed {
				b.replacePlays(s.ID, plays)
			}
		})
	}
	asking.Wait()
}

// correctedPlay judges a play again if a second event has come for one of its connections;
// nil: none has. gate bounds the number of queries.
func (p *player) correctedPlay(ctx context.Context, was *Result, gate chan struct{}) *Result {
	if len(was.Findings) == 0 {
		return nil // the play was not carried out
	}
	record, changed := *was.Record, false
	record.Crowd = slices.Clone(record.Crowd)
	everyone := record.Everyone()
	answers := make([]evidence.AppEvents, len(everyone))
	var asking sync.WaitGroup
	for n, one := range everyone {
		// If finwait gave up, its RST may have caused an event. If no event came while one was
		// due, that is the finding.
		if one.GaveUp || len(one.Events.List) == 0 {
			continue
		}
		asking.Go(func() {
			gate <- struct{}{}
			answers[n] = p.shared.events(ctx, one.Token, time.Now())
			<-gate
		})
	}
	asking.Wait()
	for n, one := range everyone {
		events := answers[n]
		if len(events.List) <= len(one.Events.List) {
			continue
		}
		changed = true
		if n == 0 {
			record.Events = events
			continue
		}
		peer := *one
		peer.Events = events
		record.Crowd[n-1] = &peer
	}
	if !changed {
		return nil
	}
	out := &Result{Scenario: was.Scenario, Record: &record, Started: was.Started, Took: was.Took}
	p.judge(out, was.Scenario.rulesWithAlive())
	return out
}
