// Command remote compares what finwait says from beside a server with what it says from
// another network namespace, across a veth pair and without any right on the server's side.
// It starts each target once, runs the whole catalogue against it from both places, and
// compares the two reports scenario by scenario. It fails if a verdict contradicts the one
// from beside the server, if too few rules about the server's socket are judged, if a
// lifetime that was found by probing does not contain the kernel's, or if a run takes too
// long. It needs Linux, CAP_SYS_ADMIN and CAP_NET_ADMIN.
//
// A target is a folder with a target.yaml; or reference, the reference server; or
// reference/FAULT; or reference/all, each fault that a server at a URL can show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errMissed is that a limit was missed; the output says which.
var errMissed = errors.New("a limit was missed")

// list is a flag that may be given several times.
type list []string

// String implements [flag.Value].
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements [flag.Value].
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// options are what the command line says.
type options struct {
	finwait    string // the binary; empty: it is built
	only, skip list   // patterns of scenarios
	jobs       int    // targets at the same time
	reports    string // folder for the JSON reports; empty: they are not kept
	flags      list   // further arguments of both runs
	extra      list   // further arguments of the run across the link
	most       int    // lines about one target and one thing
	link       link   // zero: a veth pair alone
}

// link is a link in user space, and what it does to the packets.
type link struct {
	delay   time.Duration // one way
	loss    float64       // share of the packets, in each direction
	dropRST bool          // of the server
	natIdle time.Duration // a NAT forgets a connection after this; 0: there is no NAT
	relay   bool          // beside the server stands a proxy that ends TCP
}

func (l link) inUserSpace() bool {
	l.relay = false
	return l != link{}
}

func main() {
	var o options
	flag.StringVar(&o.finwait, "finwait", "", "the finwait `binary` to run; without it, one is built")
	flag.Var(&o.only, "only", "run only scenarios with this id or `pattern` (repeatable)")
	flag.Var(&o.skip, "skip", "leave out scenarios with this id or `pattern` (repeatable)")
	flag.IntVar(&o.jobs, "j", 2, "how many `targets` are measured at the same time")
	flag.StringVar(&o.reports, "reports", "", "keep the JSON reports in this `folder`")
	flag.Var(&o.flags, "flag", "a further `argument` of both runs, such as --patience=5s (repeatable)")
	flag.Var(&o.extra, "across", "a further `argument` of the run across the link, such as --witnesses=8 (repeatable)")
	flag.IntVar(&o.most, "most", 20, "print at most so many `lines` about one thing of a target")
	flag.DurationVar(&o.link.delay, "delay", 0, "instead of a veth pair take a link in user space, with this delay each `way`")
	flag.Float64Var(&o.link.loss, "loss", 0, "the same, and it loses this `share` of the packets, 0 to 1")
	flag.BoolVar(&o.link.dropRST, "drop-rst", false, "the same, and it drops the server's RST as a firewall does")
	flag.DurationVar(&o.link.natIdle, "nat-idle", 0, "the same, with a NAT that forgets a connection after this `time` without a packet")
	flag.BoolVar(&o.link.relay, "relay", false, "go through a proxy beside the server, which ends TCP")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := check(ctx, os.Stdout, o, flag.Args())
	switch {
	case errors.Is(err, errMissed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "remote:", err)
		os.Exit(2)
	}
}

// check measures the targets, prints the table, and then what was missed.
func check(ctx context.Context, w io.Writer, o options, names []string) error {
	targets, err := load(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "finwait-remote")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.finwait == "" {
		o.finwait = filepath.Join(dir, "finwait")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.finwait, "github.com/finwait/finwait/cmd/finwait")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build finwait, in the folder of the repository: %w: %s", err, out)
		}
	}
	if o.finwait, err = filepath.Abs(o.finwait); err != nil {
		return err
	}
	if o.reports == "" {
		o.reports = dir
	} else if err := os.MkdirAll(o.reports, 0o777); err != nil {
		return err
	}
	results := make([]*comparison, len(targets))
	gate := make(chan struct{}, max(1, o.jobs))
	var running sync.WaitGroup
	var mu sync.Mutex
	printHeader(w)
	for i, t := range targets {
		gate <- struct{}{}
		running.Go(func() {
			defer func() { <-gate }()
			c := measure(ctx, t, o)
			mu.Lock()
			defer mu.Unlock()
			results[i] = c
			c.printRow(w)
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return summary(w, results, o.most)
}

// measure plays the catalogue against one target from both places.
func measure(ctx context.Context, t *target, o options) *comparison {
	c := &comparison{name: t.name}
	start := time.Now()
	var err error
	if c.beside, c.across, err = play(ctx, t, o); err != nil {
		c.err = fmt.Errorf("after %.0f s: %w", time.Since(start).Seconds(), err)
		return c
	}
	c.compare(t.races)
	return c
}
