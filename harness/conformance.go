package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// Conformance is how a target obeys the control contract (docs/contract.md).
type Conformance struct {
	Hello  string   // its answer to finwait:hello; empty: none came
	Checks []*Check // of the echo, then of each command
}

// The checks that are no command.
const (
	echoText   evidence.Capability = "echo of a text"
	echoBinary evidence.Capability = "echo of a binary message"
	helloCheck evidence.Capability = "finwait:hello"
)

// CheckTarget tries everything that the control contract asks of a server,
// more strictly than a run does, and tells what is wrong. It blocks for some
// seconds; its error is one line: the target is not reachable, or not a
// WebSocket server.
func CheckTarget(ctx context.Context, t *Target) (*Conformance, error) {
	profile, err := t.Profile.WithDefaults()
	if err != nil {
		return nil, err
	}
	t = t.forRun()
	defer t.commands.End()
	b := &Batch{target: t, profile: profile, has: map[evidence.Capability]bool{evidence.CanEvents: true}, turns: make(chan struct{}, turns), short: make(chan error, 1)}
	r := b.talk(ctx, "", peers.Send{peers.Text(probeText), peers.Command(hello), {Opcode: peers.OpBinary, Payload: []byte(probeBytes)}},
		peers.AwaitText{Text: probeText}, peers.AwaitAnswer{Prefix: "finwait:"}, peers.AwaitBinary{Payload: probeBytes})
	if r.Failure != nil {
		return nil, r.Failure
	}
	c := &Conformance{}
	text, binary := &Check{Command: echoText, Claimed: true, Got: "none"}, &Check{Command: echoBinary, Claimed: true, Got: "none"}
	for _, m := range r.Messages {
		switch payload := string(m.Payload); {
		case payload == probeText:
			text.judge(m.Text, "came back as text", "came back as a binary message")
		case payload == probeBytes:
			binary.judge(!m.Text, "came back as binary", "came back as a text message")
		case strings.HasPrefix(payload, greeting):
			c.Hello = payload
		}
	}
	b.has[evidence.Echo] = text.Works
	known := []string{"close", "terminate", "fill", "kick-all", "events"}
	claimed := strings.Fields(strings.TrimPrefix(c.Hello, greeting))
	greeted := &Check{Command: helloCheck, Claimed: true, Works: c.Hello != "", Got: fmt.Sprintf("%+.200q", c.Hello)}
	for _, name := range claimed {
		if !slices.Contains(known, name) {
			greeted.judge(false, "", fmt.Sprintf("names %+q, which the contract does not have", name))
		}
	}
	if c.Hello == "" {
		greeted.Got = fmt.Sprintf("no text that begins with %q", greeting)
	}
	c.Checks = []*Check{text, binary, greeted}
	examinations := []struct {
		command evidence.Capability
		try     func(context.Context, *Check)
	}{
		{evidence.CanClose, b.examineClose}, {evidence.CanTerminate, b.tryTerminate}, {evidence.CanFill, b.examineFill},
		{evidence.CanEvents, b.examineEvents}, {evidence.CanOpen, b.examineOpen}, {evidence.CanKickAll, b.examineKickAll},
	}
	for _, e := range examinations { // one after another: kick-all ends the others
		check := &Check{Command: e.command, Got: "not claimed by hello"}
		check.Claimed = e.command == evidence.CanOpen || slices.Contains(claimed, strings.TrimPrefix(string(e.command), "finwait:"))
		if check.Claimed {
			e.try(ctx, check)
		}
		c.Checks = append(c.Checks, check)
	}
	select {
	case err := <-b.short:
		return nil, err
	default:
		return c, context.Cause(ctx)
	}
}

// judge takes over one more finding: a wrong one stays.
func (c *Check) judge(ok bool, right, wrong string) {
	if !ok {
		c.Works, c.Claimed, c.Got = false, true, wrong
		return
	}
	c.Works, c.Got = true, right
}

// talk runs steps on a connection of its own, which is closed afterwards.
func (b *Batch) talk(ctx context.Context, token string, steps ...peers.Step) *evidence.Record {
	return b.trial(ctx, token, "", append(steps, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})...)
}

// polite is a peer that answers the server's Close and ends TCP.
func polite(steps ...peers.Step) []peers.Step {
	return append(steps, peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{})
}

func (b *Batch) examineClose(ctx context.Context, c *Check) {
	r := b.trial(ctx, newToken(), "", polite(peers.Ask{Command: "close 4321 finwait says why"})...)
	if c.closed(b, r); !c.Works {
		return
	}
	c.judge(has4321(r) && r.Closes[0].Reason() == "finwait says why", "sent "+r.Closes[0].String(), `asked to close 4321 "finwait says why", sent `+r.Closes[0].String())
	if !c.Works {
		return
	}
	if r = b.trial(ctx, newToken(), "", polite(peers.Ask{Command: "close"})...); len(r.Closes) == 0 {
		c.judge(false, "", "asked to close without a code: no Close frame within "+figures.Format(b.profile.CloseTimeout))
		return
	}
	c.Got += "; without a code: " + r.Closes[0].String()
	alive := b.talk(ctx, newToken(), peers.Ask{Command: "close 1005"}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{})
	again := b.talk(ctx, newToken(), peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText})
	if alive.Err != "" || again.Err != "" {
		c.judge(false, "", "after asking to close with 1005, which may not be sent: "+alive.Err+again.Err)
	}
}

// has4321 tells whether the server's first Close frame has the code that an
// examination asks for.
func has4321(r *evidence.Record) bool {
	code, _ := r.Closes[0].Code()
	return code == 4321
}

// examineFill also sees whether a peer that reads nothing blocks the others.
func (b *Batch) examineFill(ctx context.Context, c *Check) {
	if b.tryFill(ctx, c); !c.Works {
		return
	}
	stuck, unstick := context.WithCancel(ctx)
	var running sync.WaitGroup
	filling := make(chan struct{})
	running.Go(func() {
		opt := b.options(b.profile.CloseTimeout, b.profile.CloseTimeout)
		opt.Triggered = func() { close(filling) }
		peers.Run(stuck, append(peers.Script{peers.Connect{ReceiveBuffer: 4 << 10}}, peers.Opened(
			peers.Ask{Command: "fill 8388608"}, peers.AwaitBytes{N: 64 << 10}, peers.StopReading{}, peers.Trigger{}, peers.HoldOpen{})[1:]...), opt)
	})
	select {
	case <-filling:
		start := time.Now()
		r := b.talk(ctx, newToken(), peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText})
		took := time.Since(start)
		c.judge(r.Err == "" && took < b.profile.Response+goodbye, c.Got+", and others are served meanwhile",
			"while it fills a peer that does not read, nobody else is served: fill must not wait for the peer")
	case <-time.After(b.profile.CloseTimeout):
		c.judge(false, "", "asked for 8388608 bytes: not even 65536 came within "+figures.Format(b.profile.CloseTimeout))
	}
	unstick()
	running.Wait()
}

func (b *Batch) examineEvents(ctx context.Context, c *Check) {
	switch own := b.ownEvents(ctx, c, true); {
	case !c.Works:
	case len(own) == 0:
		c.judge(false, "", "no event for a connection that its peer closed with 4321")
	case len(own) > 1:
		c.judge(false, "", fmt.Sprintf("%d events for one connection", len(own)))
	default:
		c.Got = "its peer closed with 4321 \"finwait\": " + own[0].String()
		if own[0].At == nil {
			c.Got += "; without a time"
		}
	}
}

func (b *Batch) examineOpen(ctx context.Context, c *Check) {
	r := b.trial(ctx, newToken(), "close 4321", polite()...)
	opened := slices.ContainsFunc(r.Messages, func(m peers.Message) bool { return string(m.Payload) == peers.OpenedText && m.Text })
	switch c.closed(b, r); {
	case !c.Works && !opened:
		c.Claimed, c.Got = false, "nothing happened"
	case !c.Works:
		c.judge(false, "", "the text finwait:opened came, but "+c.Got)
	case !has4321(r):
		c.judge(false, "", "asked to close 4321, sent "+c.Got)
	default:
		c.judge(opened, "the text finwait:opened, then "+c.Got, "the text finwait:opened did not come before "+c.Got)
	}
}

func (b *Batch) examineKickAll(ctx context.Context, c *Check) {
	ready, other := make(chan struct{}), make(chan *evidence.Record, 1)
	go func() {
		opt := b.options(b.profile.CloseTimeout, b.profile.CloseTimeout)
		opt.Triggered = func() { close(ready) }
		other <- &evidence.Record{Record: peers.Run(ctx, peers.Opened(append([]peers.Step{peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText}, peers.Trigger{}}, polite()...)...), opt)}
	}()
	var o *evidence.Record
	select {
	case <-ready:
	case o = <-other: // it never came so far
	}
	r := b.trial(ctx, newToken(), "", polite(peers.Ask{Command: "kick-all 4321"})...)
	if o == nil {
		o = <-other
	}
	switch c.closed(b, r); {
	case !c.Works:
		c.Got = "the connection that asked: " + c.Got
	case len(o.Closes) == 0:
		c.judge(false, "", "another connection that was open was not closed")
	case !has4321(r) || !has4321(o):
		c.judge(false, "", "asked to close all with 4321, sent "+r.Closes[0].String()+" and "+o.Closes[0].String())
	default:
		after := b.talk(ctx, newToken(), peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText})
		c.judge(after.Err == "", "both open connections: "+r.Closes[0].String()+"; then a new one was accepted", "afterwards: "+after.Err)
	}
}
