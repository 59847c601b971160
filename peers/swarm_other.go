//go:build !linux

package peers

import "context"

// Check tells that a swarm needs epoll(7), which only Linux has.
func (s *Swarm) Check(string) error { return unsupported("play a swarm") }

// Run needs epoll(7), which only Linux has.
func (s *Swarm) Run(context.Context) ([]Member, error) { return nil, unsupported("play a swarm") }
