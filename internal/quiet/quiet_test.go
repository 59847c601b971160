//go:build unix && !aix && !solaris

package quiet_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

// TestMain also lets the test binary be a process that holds the machine until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv("FINWAIT_TEST_HOLD") != "" {
		new(quiet.Machine).Tests(holder{}).Run()
		return
	}
	goleak.VerifyTestMain(m)
}

type holder struct{}

func (holder) Run() int {
	os.Stdout.WriteString("it holds the machine\n")
	time.Sleep(time.Minute)
	return 0
}

// log is a test whose log can be read.
type log struct {
	testing.TB
	lines chan string
}

func newLog(t *testing.T) *log { return &log{t, make(chan string, 100)} }

func (l *log) Logf(format string, _ ...any) { l.lines <- format }

// waits reads the log until it says that the test waits.
func (l *log) waits(t *testing.T) {
	t.Helper()
	l.says(t, "waiting ")
}

func (l *log) says(t *testing.T, begin string) {
	t.Helper()
	select {
	case line := <-l.lines:
		if !strings.HasPrefix(line, begin) {
			t.Errorf("it says %q, want a line that begins with %q", line, begin)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("it does not say a line that begins with %q", begin)
	}
}

// Who shares and who is alone wait for each other, those who share do not, and who wants to
// be alone comes before those who ask later.
func TestMachine(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var first, second, third, fourth quiet.Machine
	one, two := newLog(t), newLog(t)
	shares := first.Share(one)
	second.Share(one)() // at once
	order := make(chan string, 2)
	ended := make(chan bool, 2)
	go func() {
		done := third.Alone(one)
		order <- "alone"
		done()
		ended <- true
	}()
	one.waits(t)
	go func() {
		done := fourth.Share(two)
		order <- "share"
		done()
		ended <- true
	}()
	two.waits(t)
	if len(order) > 0 {
		t.Fatalf("%q runs beside a test that shares", <-order)
	}
	shares()
	<-ended
	<-ended
	if a, b := <-order, <-order; a != "alone" || b != "share" {
		t.Errorf("%s came before %s", a, b)
	}
}

// tests are those of a package, as a function.
type tests func()

func (f tests) Run() int { f(); return 0 }

// Two packages that share can both run a test alone, one after the other; and both share
// again behind it.
func TestAloneAmongThoseWhoShare(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var machines [2]quiet.Machine
	logs := [2]*log{newLog(t), newLog(t)}
	together, begin, ended := make(chan bool), make(chan bool), make(chan bool)
	var turn, running atomic.Int32
	for i := range machines {
		m := &machines[i]
		go m.Tests(tests(func() {
			together <- true
			<-begin
			done := m.Alone(logs[i])
			if running.Add(1) > 1 {
				t.Error("two tests run alone at the same time")
			}
			if turn.Add(1) == 1 {
				logs[1-i].waits(t) // the other one
			}
			running.Add(-1)
			done()
			ended <- true
		})).Run()
	}
	<-together
	<-together
	close(begin)
	<-ended
	<-ended
}

// A process leaves the machine when it is killed, and what a process starts does not wait
// for it.
func TestProcesses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	start := func(env ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(os.Args[0])
		cmd.Env = slices.Concat(os.Environ(), []string{"FINWAIT_TEST_HOLD=1"}, env)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "it holds the machine\n" {
			t.Fatalf("%q, %v", line, err)
		}
		return cmd
	}
	end := func(cmd *exec.Cmd) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	var machine quiet.Machine
	stranger, log, ended := start("FINWAIT_TEST_PARENT="), newLog(t), make(chan bool)
	go func() {
		log.waits(t)
		end(stranger)
		ended <- true
	}()
	done := machine.Alone(log)
	<-ended
	end(start()) // a process of this test, while it is alone
	done()
}

// Who has waited for long enough goes on, and says so.
func TestPatience(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var other quiet.Machine
	defer other.Alone(newLog(t))()
	log, machine := newLog(t), quiet.Machine{Patience: 50 * time.Millisecond}
	machine.Share(log)()
	log.waits(t)
	log.says(t, "these tests run beside ")
}
