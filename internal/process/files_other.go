//go:build !linux

package process

// Files is not known here.
func (s *Server) Files() (open, limit uint64, ok bool) { return 0, 0, false }

// AsStarted is not known here.
func (s *Server) AsStarted() bool { return false }
