package harness

import "sync"

// slot is where one scenario's result comes to stand.
type slot struct {
	done   chan struct{}
	result *Result

	mu    sync.Mutex
	plays []*Result
}

// add takes the result of one play; the last of n makes the scenario's.
func (s *slot) add(r *Result, n int) (complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plays = append(s.plays, r); len(s.plays) < n {
		return false
	}
	s.result = worst(s.plays)
	close(s.done)
	return true
}
