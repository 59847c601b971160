package harness

import "sync"

// schedule decides in which order scenarios are played. It knows scenarios by their index, and
// nothing of servers and connections. It plays first alone, then together, then stopping.
type schedule struct {
	alone    []int // they disturb others: each begins when the disturbance of the one before is over
	together []int // all are played at the same time
	stopping []int // they stop the server that the others share: one after another

	repeat int // how often each scenario is played
	atOnce int // how many plays are under way at the same time, at most

	// play plays a scenario for the n-th time, and returns when the play has its result.
	// It calls undisturbed when others may be played beside it.
	play func(scenario, n int, undisturbed func())
	// beforeStopping is called when all plays but the stopping ones have their results.
	beforeStopping func()
}

// newSchedule sorts the scenarios. ownServer tells whether a scenario has servers of its own, and
// so does not disturb others.
func newSchedule(scenarios []*Scenario, ownServer func(*Scenario) bool) *schedule {
	s := &schedule{}
	for i, one := range scenarios {
		switch {
		case ownServer(one):
			s.together = append(s.together, i)
		case one.Stops:
			s.stopping = append(s.stopping, i)
		case one.Alone:
			s.alone = append(s.alone, i)
		default:
			s.together = append(s.together, i)
		}
	}
	return s
}

// run plays all scenarios, and returns when each play has its result.
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
		for _, i := range s.alone {
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
	s.beforeStopping()
	for n := range s.repeat {
		for _, i := range s.stopping {
			_, over := start(i, n)
			<-over
		}
	}
	playing.Wait()
}
