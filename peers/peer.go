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
	Keep     int           // bytes kept of each message; default 1 KiB
	Rally    *Rally        // where Gather waits

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

	Triggered func() // called at the trigger; may be nil
	Waiting   func() // called when the peer begins to wait for its crowd; may be nil

	// Connected is called once, when TCP is connected and before anything is
	// sent; nil where nobody observes the server's socket.
	Connected func(peer, server netip.AddrPort) Sight
}

const setupDefault, patienceDefault = 10 * time.Second, 35 * time.Second

// Sight is what an observer tells of the server's socket.
type Sight struct {
	Accepted <-chan struct{} // closed when a process has accepted the connection
	Gone     <-chan struct{} // closed when it has let go; nil where that is not observed

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
	opt     Options
	start   time.Time
	wire    *wire       // nil until connected
	uncut   func() bool // forgets that the end of the run's context cuts writes
	sight   Sight
	reading sync.WaitGroup

	commands sync.WaitGroup          // that Ask has started
	stop     context.CancelCauseFunc // ends the script
	met      bool                    // the rally has begun for this peer

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change below
	deadline time.Time
	rec      *Record       // times are since start until Run returns
	trigger  time.Duration // since start
	vanished bool          // gone is closed
	noPong   bool
	frames   int         // that are, or would be, in the trace
	messages int         // data messages of the server
	asked    bool        // Ask has asked for something
	askedAt  uint64      // how many bytes had come by then
	underWay int         // commands that Ask has started
	expected []expected  // messages that steps of the script await
	ping     *[]byte     // the payload of the latest Ping, while it is to be answered
	hungUp   bool        // the peer closed its own descriptor
	ports    []io.Closer // that keep the port
	closed   bool        // TCP is closed in both directions
	response []byte      // of the handshake, until it is complete
	upgraded bool
	failed   error  // of the handshake
	unable   error  // of a command
	key      string // Sec-WebSocket-Key
	writing  sync.Mutex
	begun    Frame  // by SendPart
	rest     []byte // of it; not nil inside a frame
	decoder  decoder
	readAt   time.Duration // when the bytes being decoded were read
}

// Run plays the script against the server and returns what was seen; it blocks
// until the script is over and, where [Options.Connected] gave a channel, until
// the server's socket is gone, at most until the patience has run out. A
// cancelled ctx ends it at once. The peer's own end is closed by an RST unless
// both sides have sent FIN.
func Run(ctx context.Context, script Script, opt Options) *Record {
	opt.Setup, opt.Patience = cmp.Or(opt.Setup, setupDefault), cmp.Or(opt.Patience, patienceDefault)
	now := time.Now()
	p := &Peer{
		opt: opt, start: now, deadline: now.Add(opt.Setup), changed: make(chan struct{}),
		rec: &Record{Start: now, Ending: Open, Echoes: map[string]int{}},
	}
	p.expect(script)
	p.decoder = decoder{keepMessage: cmp.Or(opt.Keep, keepMessage), onFrame: p.onFrame, onMessage: p.onMessage, malformed: p.onMalformed}
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	err := p.play(ctx, script)
	if err == nil && (p.sight.Gone != nil || p.vanished) {
		err = HoldOpen{}.Do(ctx, p)
	}
	if r := opt.Rally; r != nil && !p.met {
		r.giveUp(cmp.Or(p.unable, err, errors.New("it did not wait for them")))
	}
	if err != nil && !errors.Is(err, errOver) {
		p.stop(err) // a command alone serves nobody
	}
	p.commands.Wait()
	if p.sight.LastLook != nil && !p.vanished {
		p.sight.LastLook()
	}
	p.rec.Stopped = p.now()
	if played := err == nil || errors.Is(err, errOver); played && p.givesUp() && ctx.Err() == nil && opt.GivingUp != nil {
		opt.GivingUp(ctx, p.until())
		// What is asked takes its time, in which the peer looks on; not beyond its patience.
		p.rec.Stopped = max(p.rec.Stopped, min(p.now(), p.until().Sub(p.start)))
	}
	return p.finish(cmp.Or(p.unable, err))
}

func (p *Peer) play(ctx context.Context, script Script) error {
	for i, step := range script {
		connects := false
		switch step.(type) {
		case Connect, Knock:
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
		case errors.Is(err, errCutShort) && p.rec.Triggered:
			p.rec.CutShort = script[i:]
			return nil
		case errors.Is(err, errOver) && p.rec.Triggered:
			return nil
		case errors.Is(err, errOver):
			return fmt.Errorf("%s: %s", step, p.why())
		default:
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

// why tells in words how the connection was over.
func (p *Peer) why() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil:
		return p.failed.Error()
	case p.rec.Ending == FIN && len(p.rec.Closes) > 0:
		return "the server closed the connection (" + p.rec.Closes[0].String() + ", FIN)"
	case p.rec.Ending != Open:
		return "the server ended TCP (" + string(p.rec.Ending) + ")"
	case len(p.rec.Closes) > 0:
		return "the server sent " + p.rec.Closes[0].String()
	case !p.upgraded && len(p.response) > 0:
		return fmt.Sprintf("the handshake response has no end after %s", p.opt.Setup)
	}
	return fmt.Sprintf("the server said nothing for %s", p.opt.Setup)
}

// finish closes the peer's end and makes every time relative to the trigger.
func (p *Peer) finish(err error) *Record {
	p.mu.Lock()
	r := p.rec
	if err != nil && !errors.Is(err, errOver) {
		r.Failure = AsShortage(err)
		r.Err = r.Failure.Error()
	}
	ports := p.ports
	bothFINs := r.FIN != nil && r.PeerFIN != nil
	p.mu.Unlock()
	r.GaveUp = p.givesUp()
	if p.wire != nil {
		if r.Dark != nil {
			r.Dropped = p.wire.dropped()
		}
		p.uncut()
		p.wire.end(bothFINs)
		p.reading.Wait()
	}
	for _, port := range ports {
		_ = port.Close()
	}
	if r.Ending == Open {
		r.EndedAt = r.Stopped
		if r.Dark != nil || p.hungUp {
			r.Ending = Unseen
		}
	}
	r.Trigger = r.Start.Add(p.trigger)
	r.shift(p.trigger)
	return r
}

// givesUp tells whether the peer, by ending its own side now, resets a
// connection whose server socket is, or may be, still there.
func (p *Peer) givesUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	bothFINs := p.rec.FIN != nil && p.rec.PeerFIN != nil
	return p.upgraded && !p.vanished && !p.hungUp && !p.closed && !bothFINs
}

// shift makes the times relative to the trigger.
func (r *Record) shift(by time.Duration) {
	for i := range r.CloseSent {
		r.CloseSent[i].At -= by
	}
	for i := range r.Closes {
		r.Closes[i].At -= by
	}
	for i := range r.Messages {
		r.Messages[i].At -= by
	}
	for i := range r.Trace {
		r.Trace[i].At -= by
	}
	for _, t := range []*time.Duration{r.Connected, r.FIN, r.RST, r.CloseNotify, r.PeerFIN, r.PeerRST, r.Dark, &r.EndedAt, &r.Stopped} {
		if t != nil {
			*t -= by
		}
	}
}

// await blocks until cond holds (nil), the deadline in force has passed
// (errOver) or ctx is done. cond is called with p.mu held.
func (p *Peer) await(ctx context.Context, cond func() bool) error {
	return p.awaitUntil(ctx, p.until(), cond)
}

func (p *Peer) awaitUntil(ctx context.Context, deadline time.Time, cond func() bool) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-p.sight.Gone:
			deadline = earlier(deadline, p.onGone())
			timer.Reset(time.Until(deadline))
		case <-timer.C:
			return errOver
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastPacket bounds the wait for the FIN or RST of a server socket that is
// gone: it is on its way, unless the peer cannot see it.
const lastPacket = time.Second

// onGone notes that the server's socket is gone, and returns the new deadline.
func (p *Peer) onGone() time.Time {
	p.sight.Gone = nil
	p.update(func() {
		p.vanished = true
		if !p.blind() {
			p.deadline = earlier(p.deadline, time.Now().Add(lastPacket))
		}
	})
	return p.until()
}

// blind tells, with p.mu held, whether the peer cannot see an end of TCP.
func (p *Peer) blind() bool { return p.hungUp || p.rec.Dark != nil }

// until is the deadline in force.
func (p *Peer) until() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deadline
}

// update changes what await looks at.
func (p *Peer) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// over tells, with p.mu held, whether nothing more can come on the wire.
func (p *Peer) over() bool {
	return p.rec.Ending != Open || p.vanished && p.blind()
}

func (p *Peer) now() time.Duration { return time.Since(p.start) }
