// Package quiet keeps the tests of one package from disturbing those of another. `go test ./...`
// runs several packages at the same time, each as a process. Most tests wait more than they
// compute: they share the machine. A few load every core for seconds, or decide by limits that
// a loaded machine cannot keep: they run alone. The processes know of each other by a lock in
// the folder for temporary files. The kernel releases it when its process ends.
package quiet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Machine holds the machine for the tests of this process. The zero value holds nothing, and
// is ready for use.
type Machine struct {
	// Patience bounds all waiting of this process; 0 stands for 4 minutes. A test that would
	// wait for longer runs beside the others, and says so: `go test` ends a process after
	// 10 minutes (-timeout), and counts the waiting.
	Patience time.Duration

	mu     sync.Mutex
	shared *os.File // the lock of Tests
	waited time.Duration
}

const patience = 4 * time.Minute

// parent names the environment variable with the process id of the test that started a
// process. Such a process does not wait for the lock, which its parent may hold.
const parent = "FINWAIT_TEST_PARENT"

// Tests are the tests of a package, such as *testing.M.
type Tests interface{ Run() int }

// Tests returns m with its tests sharing the machine: they wait while a test of another package
// runs alone.
func (m *Machine) Tests(tests Tests) Tests { return sharing{m, tests} }

type sharing struct {
	machine *Machine
	tests   Tests
}

func (s sharing) Run() int {
	m := s.machine
	m.mu.Lock()
	m.shared = m.hold(shared, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	m.mu.Unlock()
	defer func() { release(m.shared) }()
	return s.tests.Run()
}

// Share waits until no test of another package runs alone. Until the caller calls done, none
// starts to. It serves a part of a test where the package does not share as a whole.
func (m *Machine) Share(t testing.TB) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lock := m.hold(shared, t.Logf)
	return func() { release(lock) }
}

// Alone waits until no other package shares the machine. Until the caller calls done, none
// starts to. The tests of the caller's own package are not kept from running; none of them
// runs beside a test that is not parallel.
func (m *Machine) Alone(t testing.TB) (done func()) {
	m.mu.Lock()
	shares := m.shared != nil
	release(m.shared) // two processes that share and want to be alone would wait for each other
	lock := m.hold(alone, t.Logf)
	return func() {
		release(lock)
		m.shared = nil
		if shares {
			m.shared = m.hold(shared, t.Logf)
		}
		m.mu.Unlock()
	}
}

// hold waits for the lock, and says when it has to. It returns nil where the test runs
// without one.
func (m *Machine) hold(how int, say func(string, ...any)) *os.File {
	own := strconv.Itoa(os.Getpid())
	if by := os.Getenv(parent); by != "" && by != own {
		return nil
	}
	began, limit := time.Now(), m.Patience
	if limit == 0 {
		limit = patience
	}
	until := began.Add(limit - m.waited)
	defer func() { m.waited += time.Since(began) }()
	// A process waits for the lock in its turn, so that a steady stream of those that share
	// does not keep out the one that wants to be alone.
	turn, err := wait("turn", alone, until, say)
	if err == nil {
		defer release(turn)
		var lock *os.File
		if lock, err = wait("lock", how, until, say); err == nil {
			if err = os.Setenv(parent, own); err == nil {
				return lock
			}
			release(lock)
		}
	}
	say("these tests run beside those of other packages: %s", err)
	return nil
}

// wait opens and locks a file that all processes share.
func wait(name string, how int, until time.Time, say func(string, ...any)) (*os.File, error) {
	name = filepath.Join(os.TempDir(), "finwait-tests."+name)
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) { // else O_CREATE is refused to another user (fs.protected_regular, proc(5))
		f, err = os.OpenFile(name, os.O_CREATE, 0o644)
	}
	if err != nil {
		return nil, err
	}
	for said := false; ; {
		held, err := lock(f, how)
		switch {
		case err == nil && !held:
			return f, nil
		case err == nil && time.Now().After(until):
			err = fmt.Errorf("another package held %s for too long", name)
		}
		if err != nil {
			release(f)
			return nil, err
		}
		if !said {
			say("waiting for the tests of other packages, which hold %s", name)
			said = true
		}
		time.Sleep(20 * time.Millisecond) // flock(2) that blocks has no timeout, and until bounds the wait
	}
}

// release gives up a lock, if there is one.
func release(lock *os.File) {
	if lock != nil {
		_ = lock.Close()
	}
}
