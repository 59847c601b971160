//go:build !linux

package process

import "syscall"

// Listener is not known here.
type Listener struct{ Name, Wrapper string }

// Listener is not known here.
func (s *Server) Listener(int) *Listener { return nil }

// Runs is not known here.
func (l *Listener) Runs() bool { return false }

// WouldDie is not known here.
func (l *Listener) WouldDie(syscall.Signal) bool { return false }

// Listens is not known here.
func (l *Listener) Listens() bool { return false }

// WrapperWouldDie is not known here.
func (l *Listener) WrapperWouldDie(syscall.Signal) bool { return false }
