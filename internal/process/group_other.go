//go:build !unix

package process

import (
	"os/exec"
	"syscall"
)

// group changes nothing here: Cancel kills the program alone.
func group(*exec.Cmd) {}

func alive(int, mark, string) (string, bool) { return "", false }

func hold(int) *exec.Cmd { return nil }

func guard(string, mark) *exec.Cmd { return nil }

// EndedBy is not known here.
func (s *Server) EndedBy() (signal syscall.Signal, name string) { return 0, "" }
