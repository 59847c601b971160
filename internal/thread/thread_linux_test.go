package thread

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRun: f is never called on the process's first thread, even if all others are busy, and not on
// a thread that the caller has.
func TestRun(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	failed := errors.New("failed")
	for range 100 {
		on := 0
		err := Run(func() error { on = unix.Gettid(); return failed })
		if on == os.Getpid() || on == unix.Gettid() || !errors.Is(err, failed) {
			t.Fatalf("on thread %d of process %d, error %v", on, os.Getpid(), err)
		}
	}
	if err := Run(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no error where the goroutine was ended")
	}
}
