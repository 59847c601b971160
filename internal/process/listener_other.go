//go:build !linux

package process

import "syscall"

// Listener is not known here.
type Listener struct{ Name, Wrapper string }

// Listener is not known here.
func (s *Server) Listener(int) *Listener { return nil }

// Runs is not known here.
func (l *Listener) Runs() bool { return false }

// Dies is not known here.
func (l *Listener) Dies(syscall.Signal) bool { return false }

// Listens is not known here.
func (l *Listener) Listens() bool { return false }

// WrapperDies is not known here.
func (l *Listener) WrapperDies(syscall.Signal) bool { return false }
