package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Files returns how many files the program has open, and how many it may have open
// (getrlimit(2)). False: that is not known, or the program has children, which may share its
// work.
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
	var allowed unix.Rlimit
	if err != nil || unix.Prlimit(s.Pid, unix.RLIMIT_NOFILE, nil, &allowed) != nil {
		return 0, 0, false
	}
	return uint64(len(files)), allowed.Cur, true
}

// AsStarted tells whether the process still runs the program that it was started with. False:
// it has replaced that program by another (execve(2)), or it is not known.
func (s *Server) AsStarted() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.Pid))
	return err == nil && string(b) == strings.Join(s.args, "\x00")+"\x00"
}
