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

// End says how the connections of a crowd end.
type End string

// The ends of a crowd.
const (
	PeersClose  End = "close"    // each peer closes its connection, in its way
	ServerKicks End = "kick-all" // the server's application closes all connections, with code 4001
	ServerStops End = "stop"     // the server is stopped
)

// Options say what a crowd is and does.
type Options struct {
	Peers    []peers.Kind             // one for each connection
	Then     End                      // how the connections end
	AtOnce   int                      // how many connections are being opened at the same time; default 64
	Hold     time.Duration            // how long all connections are held open before the end
	Progress func(opened, failed int) // is called while the connections are opened; may be nil
}

// Run is the outcome of one crowd.
type Run struct {
	Target   string
	Then     End
	Started  time.Time
	Opening  time.Duration // from the first dialing until every connection was open or had failed
	Took     time.Duration // from Started until the last peer and the server had ended
	Patience time.Duration // how long each peer was followed after its trigger, at most
	Members  []peers.Member
	Observed bool           // the server's sockets were observed; false: only the wire was
	Exit     *evidence.Exit // how a server exited that finwait started and stopped; else nil
	Output   string         // what a server that finwait started wrote last
	Notes    []string       // what the reader of the report must know
	Stopped  string         // why the run ended early; empty: it did not
}

// Hold opens the connections of a crowd, holds them, ends them, and follows each until the
// server has released its socket or the patience is over; it blocks until then. The error is
// one line: nothing could be measured. A cancelled ctx ends the run with what was measured.
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
		if err := server.CheckFiles(len(o.Peers)); err != nil {
			return nil, err
		}
		target = server.Target(t)
	}
	swarm.Options = peers.Options{URL: target.URL, Header: t.Header, Setup: t.Profile.CloseTimeout, Patience: patience}
	client := &contract.Client{Server: target, Commands: commands}
	if err := preflight(ctx, client, o.Then, swarm, run); err != nil {
		return nil, err
	}
	var stopped time.Time // when the server was asked to stop
	switch stop := stopFunc(t, server, commands); o.Then {
	case ServerStops:
		swarm.Trigger = func(ctx context.Context) (time.Time, error) {
			stopped = time.Now()
			return stopped, stop(ctx)
		}
	case ServerKicks:
		swarm.Trigger = func(ctx context.Context) (time.Time, error) { return kickAll(ctx, client) }
	}
	watch := socketWatch{pid: t.ServerPID}
	if run.Observed {
		watch.attach(swarm, run)
		defer watch.end()
	}
	run.Started = time.Now()
	swarm.Progress = run.timeOpening(o)
	reached := ctx // is cancelled too when the stop signal did not reach the server
	if server != nil {
		var done context.CancelCauseFunc
		reached, done = server.CancelIfNotDelivered(ctx)
		defer done(nil)
	}
	members, failure := swarm.Run(reached)
	run.Opening = cmp.Or(run.Opening, time.Since(run.Started)) // the opening was interrupted
	switch missed := (servers.SignalNotDelivered)(""); {
	case ctx.Err() != nil:
		run.Stopped = context.Cause(ctx).Error()
	case errors.As(context.Cause(reached), &missed):
		return nil, missed
	case failure != nil:
		return nil, failure
	}
	run.Members = members
	if watch.census != nil {
		run.censorAt(watch.census.Failed())
	}
	if server != nil {
		if o.Then == ServerStops && run.Stopped == "" {
			if run.Exit, err = server.Exit(ctx, stopped, patience); err != nil {
				return nil, err
			}
			run.clipToExit()
		}
		server.Kill()
		run.Output = server.Written()
	}
	run.Took = time.Since(run.Started)
	return run, nil
}

// timeOpening returns the function that is told of the progress of the opening: it notes how
// long that took, and passes the progress on.
func (run *Run) timeOpening(o Options) func(opened, failed int) {
	return func(opened, failed int) {
		if opened+failed == len(o.Peers) {
			run.Opening = time.Since(run.Started)
		}
		if o.Progress != nil {
			o.Progress(opened, failed)
		}
	}
}

// socketWatch observes the server's sockets while a crowd runs.
type socketWatch struct {
	pid    int             // [servers.Target.ServerPID]
	census *sockets.Census // nil before the first connection, and where it could not be taken
}

// attach makes the swarm take a census when it starts, and report its connections to it.
func (w *socketWatch) attach(swarm *peers.Swarm, run *Run) {
	swarm.Started = func(released func(netip.AddrPort, time.Time, time.Duration), lost func()) {
		onDeparture := func(d sockets.Departure) { released(d.Peer, d.At, d.Bound) }
		var err error
		if w.census, err = sockets.TakeCensus(w.pid, swarm.Server, onDeparture, lost); err != nil {
			lost()
			run.censorAt(run.Started, err)
		}
	}
	swarm.Joined = func(peer netip.AddrPort) {
		if w.census != nil {
			w.census.Add(peer)
		}
	}
	swarm.LastLook = func() {
		if w.census != nil {
			w.census.Look()
		}
	}
}

// end ends the census, if there is one.
func (w *socketWatch) end() {
	if w.census != nil {
		_ = w.census.Close()
	}
}

// preflight opens one connection, so that a target that does not answer is one clear error.
// It finds the address of the target, and finds out whether its sockets can be observed.
func preflight(ctx context.Context, client *contract.Client, then End, swarm *peers.Swarm, run *Run) error {
	opt := swarm.Options
	opt.Patience = servers.ProbePatience
	observer, notObserved := sockets.OpenAt(client.Server.ServerPID)
	switch {
	case notObserved != nil && client.Server.ServerPID != 0:
		return fmt.Errorf("--server-pid: %w", notObserved)
	case notObserved == nil:
		defer func() { _ = observer.Close() }()
		opt.Connected = func(peer, server netip.AddrPort) peers.ServerSocket {
			_, run.Observed, notObserved = observer.Find(server, peer)
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
	steps := append(ask, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	rec := peers.Run(ctx, peers.Opened(steps...), opt)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kicks && !claims:
		return errors.New("the server does not claim to obey finwait:kick-all (docs/contract.md): " +
			"give --kick-exec, or --then close")
	case rec.Failure != nil:
		return rec.Failure
	}
	switch {
	case notObserved != nil:
		run.Notes = append(run.Notes, "server sockets are not observed: "+notObserved.Error())
	case !run.Observed:
		run.Notes = append(run.Notes, "server sockets are not observed: "+
			"the target's end of the connection is not in this host's kernel (or network namespace)")
	}
	var err error
	swarm.Server, err = netip.ParseAddrPort(rec.Server)
	return err
}

// censorAt censors the sockets that the server held when the census failed, because nothing
// is known of them afterwards. If no peer had been triggered by then, the run counts as not
// observed. Without an error, censorAt does nothing.
func (run *Run) censorAt(failed time.Time, err error) {
	if err == nil {
		return
	}
	until := failed.Sub(run.Started)
	if !slices.ContainsFunc(run.Members, func(m peers.Member) bool { return m.Trigger > 0 && m.Trigger <= until }) {
		run.Observed = false
		run.Notes = append(run.Notes, "server sockets are not observed: "+err.Error())
		return
	}
	run.Notes = append(run.Notes,
		fmt.Sprintf("server sockets were followed until %s after the beginning only: %v", figures.Format(until), err))
	for i := range run.Members {
		if m := &run.Members[i]; m.Released == 0 {
			m.StoppedAt = min(m.StoppedAt, max(m.Trigger, until))
		}
	}
}

// clipToExit dates a release at the exit of the server if it was seen later and may have
// happened by then: the kernel closes the descriptors of a process that exits (_exit(2)).
func (run *Run) clipToExit() {
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

// stopFunc returns the function that stops the server: by its process s, or, if that is nil,
// by the user's command.
func stopFunc(t *servers.Target, s *servers.Server, commands *process.Commands) func(context.Context) error {
	if s != nil {
		return s.Stop
	}
	return servers.RunLine(commands, t.StopExec, secret.Sent(t.URL, t.Header))
}

// kickAll asks the server's application, on a connection that does not belong to the crowd, to
// close all connections. It returns when it asked.
func kickAll(ctx context.Context, client *contract.Client) (time.Time, error) {
	opt := peers.Options{URL: client.Server.URL, Header: client.Server.Header, Patience: servers.ProbePatience}
	client.CommandLines("", nil).Into(&opt)
	rec := peers.Run(ctx, peers.Opened(peers.Trigger{}, peers.Ask{Command: "kick-all 4001"},
		peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}), opt)
	if rec.Failure != nil {
		return time.Time{}, fmt.Errorf("kick-all: %w", rec.Failure)
	}
	return rec.Trigger, nil
}
