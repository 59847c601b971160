package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/sockets"
)

// common is what the endpoints of a run have in common. The preflight fills in what
// it finds; afterwards nothing of it changes.
type common struct {
	profile  rules.Profile
	commands *process.Commands // runs the user's command lines
	turns    turns
	crowds   sync.Mutex // one crowd at a time opens its connections

	has         map[evidence.Capability]bool
	falseClaims map[evidence.Capability]string // commands of the contract that are claimed and not obeyed, and what was seen
	unsupported map[evidence.Capability]string // those whose command line exits with 127, and what it wrote
	observer    *sockets.Observer              // nil: sockets are not observed, unseen says why
	unseen      string
}

// endpoint is one server as it is reached, and how it is stopped.
type endpoint struct {
	*common
	server   *servers.Target
	contract *contract.Client
	stop     func(context.Context) error // how a scenario stops it; nil: none does
}

func newEndpoint(c *common, server *servers.Target) *endpoint {
	return &endpoint{common: c, server: server, contract: &contract.Client{
		Server: server, Commands: c.commands, Limits: c.profile, Echo: c.has[evidence.Echo], SameClock: c.has[evidence.Local],
	}}
}

// play runs the scenario's script, and its crowd at the same time; token gives
// each peer the name of its connection, if any. disturbed ends...
func (e *endpoint) play(ctx context.Context, s *Scenario, token func() string, barrier *peers.Barrier) *evidence.Record {
	var members []Crowd
	for _, c := range s.Crowd {
		members = append(members, slices.Repeat([]Crowd{c}, c.Count)...)
	}
	if len(members) > 0 { // a server may not wait long for what the first of them began
		e.crowds.Lock()
		go func() { barrier.WaitComplete(); e.crowds.Unlock() }()
	}
	crowd := make([]*evidence.Record, len(members))
	var running sync.WaitGroup
	for i, member := range members {
		running.Go(func() {
			crowd[i] = e.peer(ctx, member.Script, "", token(), barrier)
			crowd[i].Kind = member.Kind
		})
	}
	rec := e.peer(ctx, s.Script, s.Query, token(), barrier)
	running.Wait()
	rec.Crowd = crowd
	for _, r := range crowd {
		if r.Err != "" && rec.Err == "" {
			rec.Failure = fmt.Errorf("a peer of the crowd: %w", r.Failure)
			rec.Err = rec.Failure.Error()
		}
	}
	return rec
}

// peer runs one script while the server's socket is watched; token, if any, names
// its connection to the application.
func (e *endpoint) peer(ctx context.Context, script peers.Script, query, token string, barrier *peers.Barrier) *evidence.Record {
	done := e.turns.wait()
	defer done()
	var watch *sockets.Watch
	opt := e.options(0, e.profile.Patience)
	opt.Query, opt.Barrier = query, barrier
	lines := e.contract.CommandLines(token, e.stop)
	lines.Into(&opt)
	var before evidence.AppEvents // the RST with which the peer gives up
	if token != "" {
		opt.GivingUp = func(ctx context.Context, until time.Time) { before = e.events(ctx, token, until) }
	}
	if token != "" && (e.has[evidence.CanEvents] || opt.Command != nil) {
		opt.Query = strings.TrimPrefix(query+"&finwait="+token, "&")
	}
	opt.Connected = func(peer, server netip.AddrPort) peers.ServerSocket {
		if !e.has[evidence.Local] {
			return peers.ServerSocket{NotObserved: errors.New(e.unseen)}
		}
		watch = e.observer.Watch(server, peer)
		sight := peers.ServerSocket{Accepted: watch.Accepted(), Gone: watch.Released(), LastLook: watch.Look}
		if e.profile.Orphans {
			sight.Gone = watch.Freed()
		}
		return sight
	}
	opt.Waiting = done
	opt.Triggered = func() {
		time.AfterFunc(reactions, done)
		if watch != nil {
			watch.Urgent()
		}
	}
	rec := &evidence.Record{Record: peers.Run(ctx, script, opt), Has: e.has, Token: token}
	rec.Unsupported = lines.Unsupported()
	rec.Socket = e.socket(watch, rec.Record)
	rec.Events = before
	return rec
}

// probe opens a connection, lets it echo where the server echoes, and closes it.
func (e *endpoint) probe(ctx context.Context) evidence.Liveness {
	var steps []peers.Step
	if e.has[evidence.Echo] {
		steps = append(steps, peers.Send{peers.Text(contract.ProbeText)}, peers.AwaitText{Text: contract.ProbeText})
	}
	steps = append(steps, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	defer e.turns.wait()()
	start := time.Now()
	rec := peers.Run(ctx, peers.Opened(steps...), e.options(e.profile.CloseTimeout, servers.ProbePatience))
	took := time.Since(start)
	if rec.Triggered {
		took = rec.Trigger.Sub(start)
	}
	short := errors.As(rec.Failure, new(*peers.Shortage))
	return evidence.Liveness{Tried: ctx.Err() == nil && !short, Short: short, OK: rec.Err == "", Took: took, Err: rec.Err}
}

func (e *endpoint) options(setup, patience time.Duration) peers.Options {
	return peers.Options{URL: e.server.URL, Header: e.server.Header, TLS: e.server.TLS, Setup: setup, Patience: patience}
}

// events asks for the application's close events of a connection until there is
// one, or the limit has passed.
func (e *endpoint) events(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	if !e.has[evidence.CanEvents] || ctx.Err() != nil {
		return evidence.AppEvents{}
	}
	return e.contract.Events(ctx, token, limit)
}

// eventsAfter asks for the close events of a connection that has ended: until the
// patience is over, so that a late event is a figure, or once where none is due,
// because the handshake was never complete. Where finwait's own RST ended it, those
// that came before that stand: see [peers.Options.GivingUp].
func (e *endpoint) eventsAfter(ctx context.Context, r *evidence.Record) evidence.AppEvents {
	switch {
	case r.GaveUp:
		return r.Events
	case r.Status == http.StatusSwitchingProtocols:
		return e.events(ctx, r.Token, r.Trigger.Add(e.profile.Patience))
	}
	return e.events(ctx, r.Token, time.Now())
}

// Nearly all of a scenario's time is waiting. What is not is rationed, because times
// are only as true as the CPUs are free: a few peers at a time have their turn, from
// dialing until the first reactions to the trigger have had their time; and so have
// probes. A server that is slow to connect, or to end a probe, must not hold up the
// rest. (A listen backlog that overflows would also delay a SYN by a second, tcp(7).)
const (
	turnsAtOnce = 3
	opening     = 25 * time.Millisecond // from dialing until the turn ends without a trigger
	reactions   = 8 * time.Millisecond  // from the trigger; a server on loopback answers within one
)

// turns are those that are taken.
type turns chan struct{}

// wait waits for a turn, which ends by done, or after the time for opening.
func (t turns) wait() (done func()) {
	t <- struct{}{}
	done = sync.OnceFunc(func() { <-t })
	time.AfterFunc(opening, done)
	return done
}
