package crowds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/sockets"
)

// End is what a held crowd waits for.
type End string

// The ends of a crowd.
const (
	PeersClose  End = "close"    // each peer closes, in its way
	ServerKicks End = "kick-all" // the server's application closes all, with 4001
	ServerStops End = "stop"     // the server is stopped
)

// Options say what a crowd is and does.
type Options struct {
	Peers    []peers.Kind
	Then     End
	AtOnce   int           // how many connections are being opened at the same time; default 64
	Hold     time.Duration // how long all are held before the end
	Progress func(opened, failed int)
}

// Run is what became of a crowd.
type Run struct {
	Target   string
	Then     End
	Started  time.Time
	Opening  time.Duration // from the first dialing until the last connection was open, or had failed
	Took     time.Duration // all of it
	Patience time.Duration
	Members  []peers.Member
	Observed bool           // the server's sockets were seen; else only the wire
	Exit     *evidence.Exit // of a server that finwait started and stopped
	Output   string         // the last that it wrote
	Notes    []string
	Stopped  string // why it ended before its time
}

// Hold opens a crowd, holds it, ends it, and follows each peer until it was let
// go or the patience is over. The error is one line: nothing could be measured.
// A cancelled ctx ends it with what was measured.
func Hold(ctx context.Context, t *servers.Target, o Options) (*Run, error) {
	patience := cmp.Or(t.Profile.Patience, 35*time.Second)
	swarm := &peers.Swarm{Peers: o.Peers, AtOnce: o.AtOnce, Hold: o.Hold}
	if err := swarm.Check(t.URL.Hostname()); err != nil {
		return nil, err
	}
	commands := process.NewCommands()
	defer commands.End()
	run := &Run{Target: t.String(), Then: o.Then, Patience: patience}
	target := t
	var server *servers.Server
	var err error
	if t.Process != nil {
		if server, err = servers.Start(ctx, t, commands); err != nil {
			return nil, err
		}
		defer server.Kill()
		if err := server.Holds(len(o.Peers)); err != nil {
			return nil, err
		}
		target = server.Target(t)
	}
	swarm.Options = peers.Options{URL: target.URL, Header: t.Header, Setup: t.Profile.CloseTimeout, Patience: patience}
	client := &contract.Client{Server: target, Commands: commands}
	if err := meet(ctx, client, o.Then, swarm, run); err != nil {
		return nil, err
	}
	var began time.Time // the trigger
	switch stop := stopper(t, server, commands); o.Then {
	case ServerStops:
		swarm.Trigger = func(ctx context.Context) (time.Time, error) { began = time.Now(); return began, stop(ctx) }
	case ServerKicks:
		swarm.Trigger = func(ctx context.Context) (time.Time, error) { return kickAll(ctx, client) }
	}
	var census *sockets.Census
	if run.Observed {
		swarm.Started = func(released func(netip.AddrPort, time.Time, time.Duration), lost func()) {
			census, err = sockets.TakeCensus(swarm.Server, func(d sockets.Departure) { released(d.Peer, d.At, d.Bound) }, lost)
			if err != nil {
				lost()
				run.lostSight(run.Started, err)
			}
		}
		swarm.Joined = func(peer netip.AddrPort) {
			if census != nil {
				census.Add(peer)
			}
		}
		swarm.LastLook = func() {
			if census != nil {
				census.Look()
			}
		}
		defer func() {
			if census != nil {
				_ = census.Close()
			}
		}()
	}
	run.Started = time.Now()
	swarm.Progress = func(opened, failed int) {
		if opened+failed == len(o.Peers) {
			run.Opening = time.Since(run.Started)
		}
		if o.Progress != nil {
			o.Progress(opened, failed)
		}
	}
	reached := ctx
	if server != nil {
		var done context.CancelCauseFunc
		reached, done = server.Reached(ctx)
		defer done(nil)
	}
	members, failure := swarm.Run(reached)
	run.Opening = cmp.Or(run.Opening, time.Since(run.Started)) // where it was interrupted
	switch missed := (servers.SignalMissed)(""); {
	case ctx.Err() != nil:
		run.Stopped = context.Cause(ctx).Error()
	case errors.As(context.Cause(reached), &missed):
		return nil, missed
	case failure != nil:
		return nil, failure
	}
	run.Members = members
	if census != nil {
		run.lostSight(census.Failed())
	}
	if server != nil {
		if o.Then == ServerStops && run.Stopped == "" {
			if run.Exit, err = server.Exit(ctx, began, patience); err != nil {
				return nil, err
			}
			run.clip()
		}
		server.Kill()
		run.Output = server.Written()
	}
	run.Took = time.Since(run.Started)
	return run, nil
}

// meet opens one connection: a dead target is one clear error. It finds out
// where the target is, and whether its sockets can be seen.
func meet(ctx context.Context, client *contract.Client, then End, swarm *peers.Swarm, run *Run) error {
	opt := swarm.Options
	opt.Patience = servers.ProbePatience
	observer, unseen := sockets.Open()
	if unseen == nil {
		defer func() { _ = observer.Close() }()
		opt.Connected = func(peer, server netip.AddrPort) peers.ServerSocket {
			_, run.Observed, unseen = observer.Find(server, peer)
			return peers.ServerSocket{}
		}
	}
	var ask []peers.Step
	kicks := then == ServerKicks && !client.ByUser(evidence.CanKickAll)
	if kicks {
		ask = []peers.Step{peers.Send{peers.Command(contract.Hello)}, peers.AwaitAnswer{Prefix: "finwait:"}}
	}
	claims := false
	opt.MessageBytes = contract.HelloBytes
	opt.Received = func(m peers.Message) {
		commands, _ := contract.Claims(m)
		claims = claims || slices.Contains(commands, "kick-all")
	}
	rec := peers.Run(ctx, peers.Opened(append(ask, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})...), opt)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kicks && !claims:
		return errors.New("the server does not claim to obey finwait:kick-all (docs/contract.md): give --kick-exec, or --then close")
	case rec.Failure != nil:
		return rec.Failure
	}
	switch {
	case unseen != nil:
		run.Notes = append(run.Notes, "server sockets are not observed: "+unseen.Error())
	case !run.Observed:
		run.Notes = append(run.Notes, "server sockets are not observed: the target's end of the connection is not in this host's kernel (or network namespace)")
	}
	var err error
	swarm.Server, err = netip.ParseAddrPort(rec.Server)
	return err
}

// lostSight ends the lives of the sockets that were held when the census failed:
// what became of them is not known. Where no peer had been triggered, the wire is
// what is left to tell.
func (run *Run) lostSight(since time.Time, err error) {
	if err == nil {
		return
	}
	if !slices.ContainsFunc(run.Members, func(m peers.Member) bool { return m.Trigger > 0 && m.Trigger <= since.Sub(run.Started) }) {
		run.Observed = false
		run.Notes = append(run.Notes, "server sockets are not observed: "+err.Error())
		return
	}
	run.Notes = append(run.Notes, fmt.Sprintf("server sockets were followed until %s after the beginning only: %v", figures.Format(since.Sub(run.Started)), err))
	for i := range run.Members {
		if m := &run.Members[i]; m.Released == 0 {
			m.StoppedAt = min(m.StoppedAt, max(m.Trigger, since.Sub(run.Started)))
		}
	}
}

// clip dates the ends of sockets at the exit where they were seen later.
func (run *Run) clip() {
	if run.Exit.Killed || run.Exit.Left {
		return
	}
	for i := range run.Members {
		m := &run.Members[i]
		gone := m.Trigger + run.Exit.Gone
		if earliest := m.Released - m.Bound; m.Released > gone && earliest <= gone {
			m.Released, m.Bound = gone, gone-earliest
		}
	}
}

// stopper is what stops the server: its process, or the user's command.
func stopper(t *servers.Target, s *servers.Server, commands *process.Commands) func(context.Context) error {
	if s != nil {
		return s.Stop
	}
	return servers.RunLine(commands, t.StopExec, secret.Sent(t.URL, t.Header))
}

// kickAll makes the server's application close all connections, from one that
// does not belong to the crowd.
func kickAll(ctx context.Context, client *contract.Client) (time.Time, error) {
	opt := peers.Options{URL: client.Server.URL, Header: client.Server.Header, Patience: servers.ProbePatience}
	client.CommandLines("", nil).Into(&opt)
	rec := peers.Run(ctx, peers.Opened(peers.Trigger{}, peers.Ask{Command: "kick-all 4001"}, peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}), opt)
	if rec.Failure != nil {
		return time.Time{}, fmt.Errorf("kick-all: %w", rec.Failure)
	}
	return rec.Trigger, nil
}
