//go:build !unix

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup changes nothing here: Cancel kills the program alone.
func ownGroup(*exec.Cmd) {}

func findRunning(int, mark, string) (string, bool) { return "", false }

func reserveGroup(int) *exec.Cmd { return nil }

func startGuardian(string, mark) *exec.Cmd { return nil }

// EndedBy is not known here.
func (s *Server) EndedBy() (signal syscall.Signal, name string) { return 0, "" }
