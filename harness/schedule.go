package harness

import "sync"

// schedule is the order in which scenarios are played, each by its index. It knows
// nothing of servers and connections.
type schedule struct {
	first    []int // they disturb others: one after another, until their disturbance is over
	together []int // all at the same time
	last     []int // they stop the server that the others share: one after another

	repeat int // how often each is played
	atOnce int // how many plays are under way at the same time

	// play plays a scenario for the n-th time, and returns when it has its result.
	// It calls undisturbed when others may be played beside it.
	play func(scenario, n int, undisturbed func())
	// beforeLast is called when all plays but the last have their results.
	beforeLast func()
}

// newSchedule sorts the scenarios; ownServer tells which of them have a server of
// their own, and so disturb nobody.
func newSchedule(scenarios []*Scenario, ownServer func(*Scenario) bool) *schedule {
	s := &schedule{}
	for i, one := range scenarios {
		switch {
		case ownServer(one):
			s.together = append(s.together, i)
		case one.Stops:
			s.last = append(s.last, i)
		case one.Alone:
			s.first = append(s.first, i)
		default:
			s.together = append(s.together, i)
		}
	}
	return s
}

// run plays all scenarios, and returns when each has its result.
func (s *schedule) run() {
	var playing sync.WaitGroup
	free := make(chan struct{}, s.atOnce)
	start := func(scenario, n int) (undisturbed, over <-chan struct{}) {
		calm, done := make(chan struct{}), make(chan struct{})
		free <- struct{}{}
		playing.Go(func() {
			defer func() { <-free; close(done) }()
			s.play(scenario, n, func() { close(calm) })
		})
		return calm, done
	}
	for n := range s.repeat {
		for _, i := range s.first {
			undisturbed, over := start(i, n)
			select {
			case <-undisturbed:
			case <-over:
			}
		}
	}
	for n := range s.repeat {
		for _, i := range s.together {
			start(i, n)
		}
	}
	playing.Wait()
	s.beforeLast()
	for n := range s.repeat {
		for _, i := range s.last {
			_, over := start(i, n)
			<-over
		}
	}
	playing.Wait()
}
