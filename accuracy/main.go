// Command accuracy compares finwait's times with two independent sources: a packet
// capture of the loopback interface, and the reference server's own log. It runs the
// whole catalogue and compares every Close frame, FIN, RST and release of a
// descriptor. It fails if a 99th percentile is over its limit, or if one side saw
// something that the other did not.
//
// With -crowd N it compares crowds of N peers with the log instead. With -ss FOLDER it
// compares the shutdown of a target with the output of ss(8).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// Limits of the 99th percentile.
const (
	wireLimit    = 2 * time.Millisecond
	releaseLimit = 10 * time.Millisecond
)

func main() {
	runs := flag.Int("runs", 1, "runs of the catalogue")
	peers := flag.Int("crowd", 0, "measure crowds of this many peers instead")
	folder := flag.String("ss", "", "stop the server of the target in this folder instead, and compare with a log of ss(8)")
	serve := flag.Bool("serve", false, "run as the server of a crowd measurement")
	flag.Parse()
	var err error
	switch {
	case *serve:
		err = serveLogged()
	case *peers > 0:
		printMachine()
		err = crowd(*peers, os.Stdout)
	case *folder != "":
		err = shutdowns(*folder, os.Stdout)
	default:
		err = catalogue(*runs)
	}
	switch {
	case errors.Is(err, errOverLimit):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(2)
	}
}

// printMachine prints the machine on which the figures were measured.
func printMachine() {
	fmt.Printf("%s/%s, %d CPUs, %s, %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpu(), runtime.Version())
}

// catalogue compares runs of the catalogue with a packet capture and the
// server's log.
func catalogue(runs int) error {
	table := &table{}
	for range runs {
		if err := measure(table); err != nil {
			return err
		}
	}
	printMachine()
	if !table.print(os.Stdout) {
		return errOverLimit
	}
	return nil
}

// measure runs the catalogue once against a reference server under capture.
func measure(t *table) error {
	dir, err := os.MkdirTemp("", "finwait-accuracy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	capture, err := startCapture(filepath.Join(dir, "packets"), l.Addr().(*net.TCPAddr).Port)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	released := &releaseLog{at: map[netip.AddrPort][]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- reference.Serve(ctx, l, reference.Options{Log: released.event}) }()

	target := &servers.Target{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}}
	batch, err := harness.Start(ctx, target, scenarios.All(), harness.Options{})
	if err != nil {
		cancel()
		return errors.Join(err, capture.discard())
	}
	run := batch.Wait()
	cancel()
	if err := <-served; err != nil {
		return errors.Join(err, capture.discard())
	}
	captured, err := capture.read()
	if err != nil {
		return err
	}
	for _, r := range run.Results {
		if r.Record != nil && r.Record.Err == "" {
			compare(t, r, captured, released)
		}
	}
	return nil
}

// releaseLog records when the server released the connections of each peer address.
type releaseLog struct {
	mu sync.Mutex
	at map[netip.AddrPort][]time.Time
}

func (l *releaseLog) event(e reference.Event) {
	if e.What != "released" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[e.Peer] = append(l.at[e.Peer], e.At)
}

func compare(t *table, r *harness.Result, captured connections, released *releaseLog) {
	rec := r.Record
	peer, err := netip.ParseAddrPort(rec.Peer)
	if err != nil {
		t.missing("%s has no address", r.Scenario.ID)
		return
	}
	seen := captured.openAt(peer, rec.Trigger)
	if seen == nil {
		t.missing("%s: the capture has no packet of %s", r.Scenario.ID, peer)
		return
	}
	// A peer that is dark, or has closed its descriptor, no longer sees the wire. Packets
	// after that are not compared.
	until := rec.Stopped
	for _, blind := range []*time.Duration{rec.Dark, rec.PeerRST} {
		if blind != nil {
			until = min(until, *blind)
		}
	}
	if rec.Ending == peers.Unseen && rec.PeerFIN != nil {
		until = min(until, *rec.PeerFIN)
	}
	pair := func(figure string, own *time.Duration, wire time.Time) {
		switch {
		case filtered(r.Scenario.Script):
		case own != nil && !wire.IsZero():
			off := rec.Trigger.Add(*own).Sub(wire)
			t.add(figure, r.Scenario.ID, off)
			t.add(wholeWire, r.Scenario.ID, off)
		case own != nil:
			t.missing("%s: finwait has the %s at %s, the capture has not", r.Scenario.ID, figure, figures.Format(*own))
		case !wire.IsZero() && wire.Before(rec.Trigger.Add(until-time.Millisecond)):
			t.missing("%s: the capture has the %s at %s, finwait has not", r.Scenario.ID, figure, figures.Format(wire.Sub(rec.Trigger)))
		}
	}
	var own *time.Duration
	if len(rec.Closes) > 0 {
		own = &rec.Closes[0].At
	}
	pair("server Close", own, seen.serverClose)
	pair("server FIN", rec.FIN, seen.serverFIN)
	if rec.FIN == nil || rec.RST != nil { // an RST after a FIN may be the answer to finwait's own end
		pair("server RST", rec.RST, seen.serverRST)
	}
	if rec.PeerFIN != nil {
		pair("peer FIN", rec.PeerFIN, seen.peerFIN)
	}
	if rec.PeerRST != nil {
		pair("peer RST", rec.PeerRST, seen.peerRST)
	}
	logged := slices.IndexFunc(released.at[peer], seen.opened.Before)
	switch held := rec.Socket.Held; {
	case !rec.Socket.Observed:
		t.missing("%s: the server's socket was not observed: %s", r.Scenario.ID, rec.Socket.Why)
	case logged < 0:
		t.missing("%s: the server did not log a release", r.Scenario.ID)
	case !held.Censored:
		t.add("release", r.Scenario.ID, rec.Trigger.Add(held.Until).Sub(released.at[peer][logged]))
	}
}

// filtered tells whether the peer, by its script, does not see all that is on
// the wire: it drops FINs, or was dark for a while.
func filtered(script peers.Script) bool {
	return slices.ContainsFunc(script, func(step peers.Step) bool {
		switch step.(type) {
		case peers.DropFIN, peers.ComeBack:
			return true
		}
		return false
	})
}
