package sockets

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/internal/lab"
)

// TestOpenAt: the observer of another namespace sees what happens there with the same bounds, and
// leaves this process where it is.
func TestOpenAt(t *testing.T) {
	there, pid := elsewhere(t)
	o, err := OpenAt(pid)
	check(t, err)
	defer o.Close()
	for _, f := range families {
		c := connectIn(t, there, f)
		w := o.watch(c)
		await(t, w, (*Watch).Accepted)
		own := open(t)
		if _, found, err := own.Find(c.addrs()); found || err != nil {
			t.Errorf("%s: it is in this namespace: %v, error %v", f.name, found, err)
		}
		check(t, own.Close())
		before, after := closeNow(t, c.server)
		await(t, w, (*Watch).Freed)
		l := w.Lifetime()
		bounded(t, "release", l.Released, l.ReleasedBound, before, after)
		if l.ReleasedBound > time.Second || l.Lost {
			t.Errorf("%s: bound %s, lost %v", f.name, l.ReleasedBound, l.Lost)
		}
	}
	c := connect(t, ipv4) // here
	if _, found, err := o.Find(c.addrs()); found || err != nil {
		t.Errorf("it sees a socket of this namespace: %v, error %v", found, err)
	}
}

// An event is dated by marks that are made in the same namespace.
func TestMarksElsewhere(t *testing.T) {
	_, pid := elsewhere(t)
	o, err := OpenAt(pid)
	check(t, err)
	defer o.Close()
	for deadline := time.Now().Add(patience); o.marks.allReportedUntil().IsZero(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("no mark was reported")
		}
	}
}

func TestCensusAt(t *testing.T) {
	there, pid := elsewhere(t)
	c := connectIn(t, there, ipv4)
	server, peer := c.addrs()
	told := make(chan Departure, 4)
	census, err := TakeCensus(pid, server, func(d Departure) { told <- d }, func() { t.Error("it ended") })
	check(t, err)
	defer census.Close()
	census.Add(peer)
	before, after := closeNow(t, c.server)
	select {
	case d := <-told:
		bounded(t, "departure", d.At, d.Bound, before, after)
	case <-time.After(patience):
		t.Error("the departure was not told")
	}
}

// What cannot be entered is one line that says what to do; this process's own namespace needs no
// right.
func TestOpenAtErrors(t *testing.T) {
	ended := exec.Command("true")
	check(t, ended.Run())
	for pid, want := range map[int]string{
		-1:                "-1 is no id of a running process",
		ended.Process.Pid: "is running here: give the server's process id",
	} {
		if o, err := OpenAt(pid); o != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v, %v; want %q", pid, o, err, want)
		}
	}
	o, err := OpenAt(os.Getpid())
	check(t, err)
	if o.namespace.file != nil {
		t.Error("this process's own namespace was entered")
	}
	check(t, o.Close())
}

// elsewhere returns a network namespace with its loopback up, and a process in it.
func elsewhere(t *testing.T) (n *lab.Namespace, pid int) {
	t.Helper()
	n = lab.New(t, lab.Options{}).Server
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	check(t, n.Start(cmd))
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return n, cmd.Process.Pid
}

// connectIn is [connect] in a namespace.
func connectIn(t *testing.T, n *lab.Namespace, f family) (c pair) {
	t.Helper()
	check(t, n.Do(func() error { c = connect(t, f); return nil }))
	return c
}
