package thread

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// Run calls f on a thread of its own, which ends with f, and returns f's error when f has returned.
// f may change the thread's network namespace (setns(2), unshare(2)). It never is the process's
// first thread, which cannot end, and whose namespace proc(5) shows as that of the process.
func Run(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		err := errors.New("what ran on a thread of its own ended its goroutine")
		defer func() { done <- err }()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			err = Run(f) // on another one, because this one is taken
			return
		}
		err = f()
	}()
	return <-done
}
