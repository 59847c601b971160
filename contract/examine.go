package contract

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
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
func CheckTarget(ctx context.Context, t *servers.Target) (*Conformance, error) {
	profile, err := t.Profile.WithDefaults()
	if err != nil {
		return nil, err
	}
	commands := process.NewCommands()
	defer commands.End()
	c := &Client{Server: t, Commands: commands, Limits: profile}
	out := &Conformance{}
	text, binary := &Check{Command: echoText, Claimed: true, Got: "none"}, &Check{Command: echoBinary, Claimed: true, Got: "none"}
	received := func(m peers.Message) {
		switch payload := string(m.Payload); {
		case payload == ProbeText:
			text.judge(m.Text, "came back as text", "came back as a binary message")
		case payload == probeBytes:
			binary.judge(!m.Text, "came back as binary", "came back as a text message")
		case strings.HasPrefix(payload, greeting):
			out.Hello = payload
		}
	}
	r := c.trialHeard(ctx, "", "", received, thenClose(
		peers.Send{peers.Text(ProbeText), peers.Command(Hello), {Opcode: peers.OpBinary, Payload: []byte(probeBytes)}},
		peers.AwaitText{Text: ProbeText}, peers.AwaitAnswer{Prefix: "finwait:"}, peers.AwaitBinary{Payload: probeBytes})...)
	if r.Failure != nil {
		return nil, r.Failure
	}
	c.Echo = text.Works
	known := []string{"close", "terminate", "fill", "kick-all", "events"}
	claimed := strings.Fields(strings.TrimPrefix(out.Hello, greeting))
	greeted := &Check{Command: helloCheck, Claimed: true, Works: out.Hello != "", Got: fmt.Sprintf("%+.200q", out.Hello)}
	for _, name := range claimed {
		if !slices.Contains(known, name) {
			greeted.judge(false, "", fmt.Sprintf("names %+q, which the contract does not have", name))
		}
	}
	if out.Hello == "" {
		greeted.Got = fmt.Sprintf("no text that begins with %q", greeting)
	}
	out.Checks = []*Check{text, binary, greeted}
	examinations := []struct {
		command evidence.Capability
		try     func(context.Context, *Check)
	}{
		{evidence.CanClose, c.examineClose}, {evidence.CanTerminate, c.tryTerminate}, {evidence.CanFill, c.examineFill},
		{evidence.CanEvents, c.examineEvents}, {evidence.CanOpen, c.examineOpen}, {evidence.CanKickAll, c.examineKickAll},
	}
	for _, e := range examinations { // one after another: kick-all ends the others
		check := &Check{Command: e.command, Got: "not claimed by hello"}
		check.Claimed = e.command == evidence.CanOpen || slices.Contains(claimed, strings.TrimPrefix(string(e.command), "finwait:"))
		if check.Claimed {
			e.try(ctx, check)
		}
		out.Checks = append(out.Checks, check)
	}
	if err := c.shortage(); err != nil {
		return nil, err
	}
	return out, context.Cause(ctx)
}

// judge takes over one more finding: a wrong one stays.
func (check *Check) judge(ok bool, right, wrong string) {
	if !ok {
		check.Works, check.Claimed, check.Got = false, true, wrong
		return
	}
	check.Works, check.Got = true, right
}

// talk runs steps on a connection of its own, which is closed afterwards.
func (c *Client) talk(ctx context.Context, token string, steps ...peers.Step) *evidence.Record {
	return c.trial(ctx, token, "", thenClose(steps...)...)
}

// thenClose are steps behind which the peer closes.
func thenClose(steps ...peers.Step) []peers.Step {
	return append(steps, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
}

// polite is a peer that answers the server's Close and ends TCP.
func polite(steps ...peers.Step) []peers.Step {
	return append(steps, peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{})
}

func (c *Client) examineClose(ctx context.Context, check *Check) {
	r := c.trial(ctx, NewToken(), "", polite(peers.Ask{Command: "close 4321 finwait says why"})...)
	if check.closed(c, r); !check.Works {
		return
	}
	check.judge(has4321(r) && r.Closes[0].Reason() == "finwait says why", "sent "+r.Closes[0].String(), `asked to close 4321 "finwait says why", sent `+r.Closes[0].String())
	if !check.Works {
		return
	}
	if r = c.trial(ctx, NewToken(), "", polite(peers.Ask{Command: "close"})...); len(r.Closes) == 0 {
		check.judge(false, "", "asked to close without a code: no Close frame within "+figures.Format(c.Limits.CloseTimeout))
		return
	}
	check.Got += "; without a code: " + r.Closes[0].String()
	alive := c.talk(ctx, NewToken(), peers.Ask{Command: "close 1005"}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{})
	again := c.talk(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
	if alive.Err != "" || again.Err != "" {
		check.judge(false, "", "after asking to close with 1005, which may not be sent: "+alive.Err+again.Err)
	}
}

// has4321 tells whether the server's first Close frame has the code that an
// examination asks for.
func has4321(r *evidence.Record) bool {
	code, _ := r.Closes[0].Code()
	return code == 4321
}

// examineFill also sees whether a peer that reads nothing blocks the others.
func (c *Client) examineFill(ctx context.Context, check *Check) {
	if c.tryFill(ctx, check); !check.Works {
		return
	}
	stuck, unstick := context.WithCancel(ctx)
	var running sync.WaitGroup
	filling := make(chan struct{})
	running.Go(func() {
		opt := c.options(c.Limits.CloseTimeout, c.Limits.CloseTimeout)
		opt.Triggered = func() { close(filling) }
		peers.Run(stuck, append(peers.Script{peers.Connect{ReceiveBuffer: 4 << 10}}, peers.Opened(
			peers.Ask{Command: "fill 8388608"}, peers.AwaitBytes{N: 64 << 10}, peers.StopReading{}, peers.Trigger{}, peers.HoldOpen{})[1:]...), opt)
	})
	select {
	case <-filling:
		start := time.Now()
		r := c.talk(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
		took := time.Since(start)
		check.judge(r.Err == "" && took < c.Limits.Response+servers.ProbePatience, check.Got+", and others are served meanwhile",
			"while it fills a peer that does not read, nobody else is served: fill must not wait for the peer")
	case <-time.After(c.Limits.CloseTimeout):
		check.judge(false, "", "asked for 8388608 bytes: not even 65536 came within "+figures.Format(c.Limits.CloseTimeout))
	}
	unstick()
	running.Wait()
}

func (c *Client) examineEvents(ctx context.Context, check *Check) {
	switch own := c.ownEvents(ctx, check, true); {
	case !check.Works:
	case len(own) == 0:
		check.judge(false, "", "no event for a connection that its peer closed with 4321")
	case len(own) > 1:
		check.judge(false, "", fmt.Sprintf("%d events for one connection", len(own)))
	default:
		check.Got = "its peer closed with 4321 \"finwait\": " + own[0].String()
		if own[0].At == nil {
			check.Got += "; without a time"
		}
	}
}

func (c *Client) examineOpen(ctx context.Context, check *Check) {
	opened := false
	received := func(m peers.Message) { opened = opened || m.Text && string(m.Payload) == peers.OpenedText }
	r := c.trialHeard(ctx, NewToken(), "close 4321", received, polite()...)
	switch check.closed(c, r); {
	case !check.Works && !opened:
		check.Claimed, check.Got = false, "nothing happened"
	case !check.Works:
		check.judge(false, "", "the text finwait:opened came, but "+check.Got)
	case !has4321(r):
		check.judge(false, "", "asked to close 4321, sent "+check.Got)
	default:
		check.judge(opened, "the text finwait:opened, then "+check.Got, "the text finwait:opened did not come before "+check.Got)
	}
}

func (c *Client) examineKickAll(ctx context.Context, check *Check) {
	ready, other := make(chan struct{}), make(chan *evidence.Record, 1)
	go func() {
		opt := c.options(c.Limits.CloseTimeout, c.Limits.CloseTimeout)
		opt.Triggered = func() { close(ready) }
		other <- &evidence.Record{Record: peers.Run(ctx, peers.Opened(append([]peers.Step{peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText}, peers.Trigger{}}, polite()...)...), opt)}
	}()
	var o *evidence.Record
	select {
	case <-ready:
	case o = <-other: // it never came so far
	}
	r := c.trial(ctx, NewToken(), "", polite(peers.Ask{Command: "kick-all 4321"})...)
	if o == nil {
		o = <-other
	}
	switch check.closed(c, r); {
	case !check.Works:
		check.Got = "the connection that asked: " + check.Got
	case len(o.Closes) == 0:
		check.judge(false, "", "another connection that was open was not closed")
	case !has4321(r) || !has4321(o):
		check.judge(false, "", "asked to close all with 4321, sent "+r.Closes[0].String()+" and "+o.Closes[0].String())
	default:
		after := c.talk(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
		check.judge(after.Err == "", "both open connections: "+r.Closes[0].String()+"; then a new one was accepted", "afterwards: "+after.Err)
	}
}
