package sockets

import (
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/internal/thread"
)

// run calls f in the namespace and returns when f has. If that is not this process's, f runs on a
// thread of its own.
func (n namespace) run(f func()) error {
	if n.file == nil {
		f()
		return nil
	}
	return thread.Run(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		f()
		return nil
	})
}
