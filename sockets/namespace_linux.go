package sockets

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// run calls f in the namespace and returns when f has. If that is not this process's, f runs on a
// thread of its own, which ends afterwards. It is not the process's first thread, whose namespace
// /proc shows as that of the process.
func (n namespace) run(f func()) error {
	if n.file == nil {
		f()
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ended := make(chan error)
	go func() { // not on the thread that is locked here
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			ended <- n.run(f)
			return
		}
		err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			f()
		}
		ended <- err
	}()
	return <-ended
}
