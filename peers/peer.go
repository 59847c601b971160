package peers

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Step is one line of a script. Do blocks until the step is done, the server
// ended the connection, or the deadline in force has passed; String is its
// line in a script.
type Step interface {
	Do(ctx context.Context, p *Peer) error
	String() string
}

// Script is what a peer does, in order. It stops early where the server ends
// the connection or the patience runs out.
type Script []Step

// String prints the script, a step a line.
func (s Script) String() string {
	lines := make([]string, len(s))
	for i, step := range s {
		lines[i] = step.String()
	}
	return strings.Join(lines, "\n")
}

// Options say where a peer connects and how long it looks.
type Options struct {
	URL      *url.URL // ws or wss; userinfo becomes basic authentication
	Header   http.Header
	TLS      *tls.Config   // for wss; nil: the system's roots
	Setup    time.Duration // limit for everything before the trigger; default 10 s
	Patience time.Duration // limit for everything after it, from the trigger; default 35 s
	Query    string        // added to the URL's query, such as "finwait=TOKEN"

	// MessageBytes is how much of each message is at hand while it is compared with
	// what steps wait for, and for Received; default 1 KiB. It is more where a step
	// waits for a longer text.
	MessageBytes int

	// Received is called with each data message as it comes, before a step sees it.
	// It must not block, and is not called any more when Run has returned. May be nil.
	Received func(Message)

	Barrier *Barrier // where JoinBarrier waits

	// Command gives what carries out a command of [Ask] from outside the
	// connection; nil, or nothing for this command: the peer sends it. What it
	// gives must end with ctx, and Run does not return before.
	Command func(command string) func(ctx context.Context) error

	// GivingUp is called before the peer resets a connection whose handshake was
	// complete and whose server socket is, or may be, still there: what the server
	// does later may be the work of that RST. The script is over then, and the
	// connection stays as it is until GivingUp returns. Patience ends at until. May
	// be nil.
	GivingUp func(ctx context.Context, until time.Time)

	// Probe makes the peer find out whether the server's process still holds the socket; nil: it
	// does not.
	Probe *Probe

	Triggered func() // called at the trigger; may be nil
	Waiting   func() // called when the peer begins to wait for its crowd; may be nil

	// Connected is called once, when TCP is connected and before anything is
	// sent; nil where nobody observes the server's socket.
	Connected func(peer, server netip.AddrPort) ServerSocket
}

const setupDefault, patienceDefault = 10 * time.Second, 35 * time.Second

// ServerSocket is what an observer tells of the server's socket.
type ServerSocket struct {
	Accepted    <-chan struct{} // closed when a process has accepted the connection; nil where that is not observed
	Gone        <-chan struct{} // closed when the process has let go; nil where that is not observed
	NotObserved error           // why it is not observed

	// LastLook is called before the peer ends its own side, where Gone is not closed: finwait may
	// have been stopped (SIGSTOP) while the server let go. May be nil.
	LastLook func()
}

// errOver says that nothing more can come: the server ended TCP, or the
// deadline passed. It ends a script without being an error of it.
var errOver = errors.New("the connection is over")

// errCutShort says that the patience ended while the peer paused between two
// steps, so that it never did the next one.
var errCutShort = errors.New("the patience was over before the pause")

// Peer is one scripted client. Only the steps of its script use it.
type Peer struct {
	opt           Options
	start         time.Time
	wire          *wire       // nil until connected
	stopAfterFunc func() bool // forgets that the end of the run's context cuts writes
	sight         ServerSocket
	dialed        time.Time     // when connect(2) was called last
	roundTrip     time.Duration // by the kernel's figure; where it has none, how long connecting took
	rtoMax        error         // why the retransmission timeout has no bound; nil where a Probe has set it
	reading       sync.WaitGroup
	portHolders   []io.Closer // sockets that keep the port from others
	barrierPassed bool

	commands sync.WaitGroup          // that Ask has started
	stop     context.CancelCauseFunc // ends the script

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change of live
	live      state
	recording recording

	writing sync.Mutex
	decoder decoder
	readAt  time.Duration // when the bytes being decoded were read
}

func newPeer(opt Options) *Peer {
	opt.Setup, opt.Patience = cmp.Or(opt.Setup, setupDefault), cmp.Or(opt.Patience, patienceDefault)
	opt.MessageBytes = max(opt.MessageBytes, shortText)
	now := time.Now()
	p := &Peer{
		opt: opt, start: now, changed: make(chan struct{}),
		live: state{ending: Open, deadline: now.Add(opt.Setup), echoes: map[string]int{},
			firstAt: map[string]time.Duration{}, lengths: map[uint64]int{}},
	}
	p.decoder = decoder{messageBytes: opt.MessageBytes, onFrame: p.observeFrame, onMessage: p.observeMessage, malformed: p.observeMalformed}
	return p
}

// Run plays the script against the server and returns what was seen; it blocks
// until the script is over and, where [Options.Connected] gave a channel, until
// the server's socket is gone, at most until the patience has run out. A
// cancelled ctx ends it at once. The peer's own end is closed by an RST unless
// both sides have sent FIN.
func Run(ctx context.Context, script Script, opt Options) *Record {
	p := newPeer(opt)
	p.awaitMessagesOf(script)
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	err := p.play(ctx, script)
	if err == nil && (p.sight.Gone != nil || p.live.serverGone) {
		err = HoldOpen{}.Do(ctx, p)
	}
	if played := err == nil || errors.Is(err, errOver); played {
		if probeErr := p.probeAt(ctx); probeErr != nil {
			err = probeErr
		}
	}
	if r := p.opt.Barrier; r != nil && !p.barrierPassed {
		r.fail(cmp.Or(p.live.commandErr, err, errors.New("it did not wait for them")))
	}
	if err != nil && !errors.Is(err, errOver) {
		p.stop(err) // a command alone serves nobody
	}
	p.commands.Wait()
	if p.sight.LastLook != nil && !p.live.serverGone {
		p.sight.LastLook()
	}
	stopped := p.now()
	if played := err == nil || errors.Is(err, errOver); played && p.givesUp() && ctx.Err() == nil && opt.GivingUp != nil {
		opt.GivingUp(ctx, p.until())
		// What is asked takes its time, in which the peer looks on; not beyond its patience.
		stopped = max(stopped, min(p.now(), p.until().Sub(p.start)))
	}
	if opt.Probe != nil && (err == nil || errors.Is(err, errOver)) && ctx.Err() == nil {
		if p.live.dark != nil {
			p.countDropped()
		}
		before := p.record(stopped)
		if probeErr := p.probe(ctx); probeErr != nil {
			err = probeErr
		}
		return p.finish(before, stopped, cmp.Or(p.live.commandErr, err))
	}
	return p.finish(nil, stopped, cmp.Or(p.live.commandErr, err))
}

func (p *Peer) play(ctx context.Context, script Script) error {
	for i, step := range script {
		connects := false
		switch step.(type) {
		case Connect, ConnectAfter:
			connects = true
		}
		switch {
		case connects && p.wire != nil:
			return fmt.Errorf("%s: already connected", step)
		case !connects && p.wire == nil:
			return fmt.Errorf("%s: not connected", step)
		}
		switch err := step.Do(ctx, p); {
		case err == nil:
		case errors.Is(err, errCutShort) && p.live.triggered:
			p.live.cutShort = script[i:]
			return nil
		case errors.Is(err, errOver) && p.live.triggered:
			return nil
		case errors.Is(err, errOver):
			return fmt.Errorf("%s: %w", step, p.whyOver())
		default:
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

// finish closes the peer's end, and makes the record of what was seen. The record is that from
// before the last probe, if there was one: what the server did in answer is in its trace and looks
// alone.
func (p *Peer) finish(before *Record, stopped time.Duration, err error) *Record {
	gaveUp := p.givesUp()
	if p.wire != nil {
		if p.live.dark != nil {
			p.countDropped()
		}
		p.mu.Lock()
		bothFINs := p.live.fin != nil && p.live.peerFIN != nil
		p.mu.Unlock()
		p.stopAfterFunc()
		p.wire.end(bothFINs)
		p.reading.Wait()
	}
	for _, port := range p.portHolders {
		_ = port.Close()
	}
	r := p.record(stopped)
	r.GaveUp = gaveUp
	if before != nil {
		before.Trace, before.Elided = r.Trace, r.Elided
		r = before
		r.GaveUp = r.GaveUp && !slices.ContainsFunc(p.live.looks, func(l Look) bool { return l.State == LetGo })
	}
	r.looks = p.lookAtWire()
	if err != nil && !errors.Is(err, errOver) {
		r.Failure = AsShortage(err)
		r.Err = r.Failure.Error()
	}
	r.shift(p.live.trigger)
	return r
}

// record is what was seen until now, at stopped. Its times are since the peer's start.
func (p *Peer) record(stopped time.Duration) *Record {
	gaveUp := p.givesUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.snapshot()
	r.Stopped, r.GaveUp = stopped, gaveUp
	if r.Ending == Open {
		r.EndedAt = r.Stopped
		if p.live.endIsHidden() {
			r.Ending = Unseen
		}
	}
	return r
}

// givesUp tells whether the peer, by ending its own side now, resets a
// connection whose server socket is, or may be, still there.
func (p *Peer) givesUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.live
	bothFINs := s.fin != nil && s.peerFIN != nil
	return s.upgraded && !s.serverGone && !s.socketClosed && !s.tcpClosed && !bothFINs
}
