package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// common is what all endpoints of a run share. The preflight fills in what it finds out, and
// nothing changes afterwards.
type common struct {
	profile  rules.Profile
	commands *process.Commands // runs the user's command lines
	turns    turns
	witnessing
	admission admission
	crowds    sync.Mutex // held while a crowd opens its connections

	has         map[evidence.Capability]bool
	falseClaims map[evidence.Capability]string // for each command that is claimed and not obeyed: what was seen
	unsupported map[evidence.Capability]string // for each command line that exits with 127: its error
	observers
}

// endpoint is one server: how scenarios reach it, ask its application, and stop it.
type endpoint struct {
	*common
	server   *servers.Target
	contract *contract.Client
	stop     func(context.Context) error // stops the server; nil: no scenario may do that
}

func newEndpoint(c *common, server *servers.Target) *endpoint {
	return &endpoint{common: c, server: server, contract: &contract.Client{
		Server: server, Commands: c.commands, Limits: c.profile,
		Echo: c.has[evidence.Echo], SameClock: c.has[evidence.Local],
	}}
}

// play runs the scenario's script and those of its crowd, or of its witnesses, at the same time, and
// blocks until all are over. token returns the name of a connection for each peer, which may be empty.
func (e *endpoint) play(
	ctx context.Context, s *Scenario, token func() string, barrier *peers.Barrier,
) *evidence.Record {
	if len(s.Crowd) == 0 && !s.Stops && e.asksTheWire() {
		return e.playWitnessed(ctx, s, token())
	}
	var members []Crowd
	for _, c := range s.Crowd {
		members = append(members, slices.Repeat([]Crowd{c}, c.Count)...)
	}
	if len(members) > 0 { // the server may close a peer that waits long for the others of its crowd
		e.crowds.Lock()
		go func() { barrier.WaitComplete(); e.crowds.Unlock() }()
	}
	crowd := make([]*evidence.Record, len(members))
	var running sync.WaitGroup
	probes := e.crowdProbes(s)
	looks := make([][]peers.Look, len(probes))
	for i, probe := range probes {
		running.Go(func() { looks[i] = e.ask(ctx, s, probe, barrier).Looks() })
	}
	for i, member := range members {
		running.Go(func() {
			crowd[i] = e.peer(ctx, member.Script, "", token(), barrier, nil)
			crowd[i].Kind = member.Kind
			e.addWire(crowd[i], member.Script)
		})
	}
	play := func() *evidence.Record { return e.peer(ctx, s.Script, s.Query, token(), barrier, nil) }
	var rec *evidence.Record
	if len(members) > 0 { // a peer that comes later than the others of its crowd has missed them
		rec = play()
	} else {
		rec = e.admit(ctx, play)
	}
	running.Wait()
	e.addWire(rec, s.Script, slices.Concat(looks...)...)
	rec.Crowd = crowd
	for _, r := range crowd { // the first failure of the crowd counts as that of the scenario
		if r.Err != "" && rec.Err == "" {
			rec.Failure = fmt.Errorf("a peer of the crowd: %w", r.Failure)
			rec.Err = rec.Failure.Error()
		}
	}
	return rec
}

// peer runs one script while the server's socket is watched; token, if any, names
// its connection to the application. triggered, if any, is called at the trigger.
func (e *endpoint) peer(
	ctx context.Context, script peers.Script, query, token string, barrier *peers.Barrier, triggered func(),
) *evidence.Record {
	done := e.turns.wait()
	defer done()
	var watched watches
	opt := e.options(0, e.profile.Patience)
	opt.Barrier = barrier
	lines := e.contract.CommandLines(token, e.stop)
	lines.Into(&opt)
	var eventsBeforeRST evidence.AppEvents // those that came before the RST with which the peer gives up
	if token != "" {
		opt.GivingUp = func(ctx context.Context, until time.Time) { eventsBeforeRST = e.events(ctx, token, until) }
	}
	opt.Query = e.query(query, token, opt.Command != nil)
	if e.asksTheWire() && !hasStep[peers.CloseSocket](script) { // whose peer cannot ask at the end
		opt.Probe = &peers.Probe{}
	}
	opt.Connected = func(peer, server netip.AddrPort) peers.ServerSocket {
		if watched = e.watchAll(server, peer); watched.first == nil {
			return peers.ServerSocket{NotObserved: watched.why}
		}
		watch := watched.first
		socket := peers.ServerSocket{Accepted: watch.Accepted(), Gone: watch.Released(), LastLook: watch.Look}
		if e.profile.Orphans {
			socket.Gone = watch.Freed()
		}
		return socket
	}
	opt.Waiting = done
	opt.Triggered = func() {
		time.AfterFunc(reactionTime, done)
		if triggered != nil {
			triggered()
		}
		watched.urgent()
	}
	rec := &evidence.Record{Record: peers.Run(ctx, script, opt), Has: e.has, Token: token}
	rec.Unsupported = lines.Unsupported()
	rec.Socket = e.socketEvidence(watched, rec.Record)
	rec.Events = eventsBeforeRST
	return rec
}

// probe finds out whether the server is alive: it opens a connection, sends a text if the server
// echoes, and closes it.
func (e *endpoint) probe(ctx context.Context) evidence.Liveness {
	var steps []peers.Step
	if e.has[evidence.Echo] {
		steps = append(steps, peers.Send{peers.Text(contract.ProbeText)}, peers.AwaitText{Text: contract.ProbeText})
	}
	steps = append(steps, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	defer e.turns.wait()()
	var took time.Duration
	rec := e.admit(ctx, func() *evidence.Record {
		start := time.Now()
		rec := peers.Run(ctx, peers.Opened(steps...), e.options(e.profile.CloseTimeout, servers.ProbePatience))
		if took = time.Since(start); rec.Triggered {
			took = rec.Trigger.Sub(start)
		}
		return &evidence.Record{Record: rec}
	})
	short := errors.As(rec.Failure, new(*peers.Shortage))
	status, busy := busyStatus(rec.Record)
	out := evidence.Liveness{Short: short, OK: rec.Err == "", Took: took, Err: rec.Err}
	switch {
	case ctx.Err() != nil:
		out.Err = ""
	case busy && (status.Status == http.StatusTooManyRequests || !e.admission.alone.Load()):
		// It says nothing of the server where others are connected.
	case !short:
		out.Tried = true
	}
	return out
}

func (e *endpoint) options(setup, patience time.Duration) peers.Options {
	return peers.Options{URL: e.server.URL, Header: e.server.Header, TLS: e.server.TLS, Setup: setup, Patience: patience}
}

// events asks for the application's close events of a connection, and blocks until there is one
// or the limit has passed. It does not ask if the application does not tell them.
func (e *endpoint) events(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	if !e.has[evidence.CanEvents] || ctx.Err() != nil {
		return evidence.AppEvents{}
	}
	return e.contract.Events(ctx, token, limit)
}

// eventsAfter asks for the close events of a connection that has ended. It blocks until there is
// one or the patience is over, so that a late event is measured. If the handshake was never
// complete, no event is due, and it asks once. If finwait's own RST ended the connection, only
// the events before it count: see [peers.Options.GivingUp].
func (e *endpoint) eventsAfter(ctx context.Context, r *evidence.Record) evidence.AppEvents {
	switch {
	case r.GaveUp:
		return r.Events
	case r.Status == http.StatusSwitchingProtocols:
		return e.events(ctx, r.Token, r.Trigger.Add(e.profile.Patience))
	}
	return e.events(ctx, r.Token, time.Now())
}

// A scenario waits for nearly all of its time. Peers take turns for the rest, because times are
// exact only while CPUs are free: a few peers or probes at a time have a turn. The turn of a
// peer begins when it dials and ends when the server has had time to react to the trigger. It
// ends earlier if the server is slow to connect, so that the server does not hold up other
// peers. Turns also keep the listen backlog from overflowing, which would delay a SYN by a
// second (tcp(7)).
const (
	turnsAtOnce  = 3
	openingTime  = 25 * time.Millisecond // a turn ends so long after dialing, unless it ended earlier
	reactionTime = 8 * time.Millisecond  // a turn ends so long after the trigger; loopback needs less than 1 ms
)

// turns has one element for each turn that is taken.
type turns chan struct{}

// wait waits for a turn. The turn ends when done is called, or after openingTime.
func (t turns) wait() (done func()) {
	t <- struct{}{}
	done = sync.OnceFunc(func() { <-t })
	time.AfterFunc(openingTime, done)
	return done
}
