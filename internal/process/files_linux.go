package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Files tells how many files the program has open, and how many it may
// (getrlimit(2)); false: that is not known, or it has children, over which what it
// opens may be spread.
func (s *Server) Files() (open, limit uint64, ok bool) {
	proc := fmt.Sprintf("/proc/%d/", s.Pid)
	children, err := filepath.Glob(proc + "task/*/children")
	if err != nil || len(children) == 0 {
		return 0, 0, false
	}
	for _, path := range children {
		if list, err := os.ReadFile(path); err != nil || len(list) > 0 {
			return 0, 0, false
		}
	}
	files, err := os.ReadDir(proc + "fd")
	var most unix.Rlimit
	if err != nil || unix.Prlimit(s.Pid, unix.RLIMIT_NOFILE, nil, &most) != nil {
		return 0, 0, false
	}
	return uint64(len(files)), most.Cur, true
}

// AsStarted tells whether the process still is the program that it was started as:
// it has taken up no other one by exec(2). False: it has, or that is not known.
func (s *Server) AsStarted() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.Pid))
	return err == nil && string(b) == strings.Join(s.args, "\x00")+"\x00"
}
