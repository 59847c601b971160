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

// Conformance says how a target obeys the control contract (docs/contract.md).
type Conformance struct {
	Hello  string   // the answer to finwait:hello; empty: none came
	Checks []*Check // the checks of the echo and of hello, then of each command
}

// These checks are not of a command that hello names.
const (
	echoText   evidence.Capability = "echo of a text"
	echoBinary evidence.Capability = "echo of a binary message"
	helloCheck evidence.Capability = "finwait:hello"
)

// CheckTarget checks everything that the control contract asks of a server, more strictly
// than a run does, and says what is wrong. It blocks for some seconds. The error is one line:
// the target is not reachable, or is no WebSocket server.
func CheckTarget(ctx context.Context, t *servers.Target) (*Conformance, error) {
	profile, err := t.Profile.WithDefaults()
	if err != nil {
		return nil, err
	}
	commands := process.NewCommands()
	defer commands.End()
	c := &Client{Server: t, Commands: commands, Limits: profile}
	out := &Conformance{}
	text := &Check{Command: echoText, Claimed: true, Got: "none"}
	binary := &Check{Command: echoBinary, Claimed: true, Got: "none"}
	received := func(m peers.Message) {
		switch payload := string(m.Payload); {
		case payload == ProbeText:
			text.addFinding(m.Text, "came back as text", "came back as a binary message")
		case payload == probeBytes:
			binary.addFinding(!m.Text, "came back as binary", "came back as a text message")
		case strings.HasPrefix(payload, greeting):
			out.Hello = payload
		}
	}
	binaryProbe := peers.Frame{Opcode: peers.OpBinary, Payload: []byte(probeBytes)}
	r := c.runTrialReceiving(ctx, "", "", received, thenClose(
		peers.Send{peers.Text(ProbeText), peers.Command(Hello), binaryProbe},
		peers.AwaitText{Text: ProbeText}, peers.AwaitAnswer{Prefix: "finwait:"},
		peers.AwaitBinary{Payload: probeBytes})...)
	if r.Failure != nil {
		return nil, r.Failure
	}
	c.Echo = text.Works
	known := []string{"close", "terminate", "fill", "kick-all", "events"}
	claimed := strings.Fields(strings.TrimPrefix(out.Hello, greeting))
	hello := &Check{Command: helloCheck, Claimed: true, Works: out.Hello != "", Got: fmt.Sprintf("%+.200q", out.Hello)}
	for _, name := range claimed {
		if !slices.Contains(known, name) {
			hello.addFinding(false, "", fmt.Sprintf("names %+q, which the contract does not have", name))
		}
	}
	if out.Hello == "" {
		hello.Got = fmt.Sprintf("no text that begins with %q", greeting)
	}
	out.Checks = []*Check{text, binary, hello}
	trials := []struct {
		command evidence.Capability
		try     func(context.Context, *Check)
	}{
		{evidence.CanClose, c.checkCloseStrictly}, {evidence.CanTerminate, c.checkTerminate},
		{evidence.CanFill, c.checkFillStrictly}, {evidence.CanEvents, c.checkEventsStrictly},
		{evidence.CanOpen, c.checkOpenStrictly}, {evidence.CanKickAll, c.checkKickAllStrictly},
	}
	for _, trial := range trials { // one after another: kick-all closes the connections of the others
		check := &Check{Command: trial.command, Got: "not claimed by hello"}
		name := strings.TrimPrefix(string(trial.command), "finwait:")
		check.Claimed = trial.command == evidence.CanOpen || slices.Contains(claimed, name)
		if check.Claimed {
			trial.try(ctx, check)
		}
		out.Checks = append(out.Checks, check)
	}
	if err := c.shortage(); err != nil {
		return nil, err
	}
	return out, context.Cause(ctx)
}

// addFinding sets the check by one more finding: what was seen is right if ok, and else wrong.
func (check *Check) addFinding(ok bool, right, wrong string) {
	if !ok {
		check.Works, check.Claimed, check.Got = false, true, wrong
		return
	}
	check.Works, check.Got = true, right
}

// exchange runs the steps on a connection of its own, and closes it afterwards.
func (c *Client) exchange(ctx context.Context, token string, steps ...peers.Step) *evidence.Record {
	return c.runTrial(ctx, token, "", thenClose(steps...)...)
}

// thenClose appends the steps of a peer that closes.
func thenClose(steps ...peers.Step) []peers.Step {
	return append(steps, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
}

// thenAnswerClose appends the steps of a peer that answers the server's Close frame, and waits
// for the end of TCP.
func thenAnswerClose(steps ...peers.Step) []peers.Step {
	return append(steps, peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{})
}

// checkCloseStrictly checks the code and the reason of the Close frame, a close without a
// code, and that a code which may not be sent (1005) harms neither connection nor server.
func (c *Client) checkCloseStrictly(ctx context.Context, check *Check) {
	r := c.runTrial(ctx, NewToken(), "", thenAnswerClose(peers.Ask{Command: "close 4321 finwait says why"})...)
	if check.addCloseFrame(c, r); !check.Works {
		return
	}
	sent := "sent " + r.Closes[0].String()
	check.addFinding(closedWith4321(r) && r.Closes[0].Reason() == "finwait says why",
		sent, `asked to close 4321 "finwait says why", `+sent)
	if !check.Works {
		return
	}
	if r = c.runTrial(ctx, NewToken(), "", thenAnswerClose(peers.Ask{Command: "close"})...); len(r.Closes) == 0 {
		check.addFinding(false, "", "asked to close without a code: no Close frame within "+figures.Format(c.Limits.CloseTimeout))
		return
	}
	check.Got += "; without a code: " + r.Closes[0].String()
	after := c.exchange(ctx, NewToken(),
		peers.Ask{Command: "close 1005"}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{})
	next := c.exchange(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
	if after.Err != "" || next.Err != "" {
		check.addFinding(false, "", "after asking to close with 1005, which may not be sent: "+after.Err+next.Err)
	}
}

// closedWith4321 tells whether the server's first Close frame has the code that the strict
// checks ask for.
func closedWith4321(r *evidence.Record) bool {
	code, _ := r.Closes[0].Code()
	return code == 4321
}

// checkFillStrictly also checks that the server serves others while it fills a peer that
// does not read.
func (c *Client) checkFillStrictly(ctx context.Context, check *Check) {
	if c.checkFill(ctx, check); !check.Works {
		return
	}
	filled, endFilled := context.WithCancel(ctx)
	var running sync.WaitGroup
	filling := make(chan struct{})
	running.Go(func() {
		opt := c.options(c.Limits.CloseTimeout, c.Limits.CloseTimeout)
		opt.Triggered = func() { close(filling) }
		script := peers.Opened(peers.Ask{Command: "fill 8388608"}, peers.AwaitBytes{N: 64 << 10},
			peers.StopReading{}, peers.Trigger{}, peers.HoldOpen{})
		script[0] = peers.Connect{ReceiveBuffer: 4 << 10}
		peers.Run(filled, script, opt)
	})
	select {
	case <-filling:
		start := time.Now()
		r := c.exchange(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
		took := time.Since(start)
		check.addFinding(r.Err == "" && took < c.Limits.Response+servers.ProbePatience,
			check.Got+", and others are served meanwhile",
			"while it fills a peer that does not read, nobody else is served: fill must not wait for the peer")
	case <-time.After(c.Limits.CloseTimeout):
		limit := figures.Format(c.Limits.CloseTimeout)
		check.addFinding(false, "", "asked for 8388608 bytes: not even 65536 came within "+limit)
	}
	endFilled()
	running.Wait()
}

// checkEventsStrictly checks that a connection has exactly one close event, with a right time.
func (c *Client) checkEventsStrictly(ctx context.Context, check *Check) {
	switch events := c.checkEventsOfTokens(ctx, check, true); {
	case !check.Works:
	case len(events) == 0:
		check.addFinding(false, "", "no event for a connection that its peer closed with 4321")
	case len(events) > 1:
		check.addFinding(false, "", fmt.Sprintf("%d events for one connection", len(events)))
	default:
		check.Got = "its peer closed with 4321 \"finwait\": " + events[0].String()
		if events[0].At == nil {
			check.Got += "; without a time"
		}
	}
}

// checkOpenStrictly checks that the server obeys ?finwait-open: it sends the text
// finwait:opened, and then the Close frame that the command asks for.
func (c *Client) checkOpenStrictly(ctx context.Context, check *Check) {
	opened := false
	received := func(m peers.Message) { opened = opened || m.Text && string(m.Payload) == peers.OpenedText }
	r := c.runTrialReceiving(ctx, NewToken(), "close 4321", received, thenAnswerClose()...)
	switch check.addCloseFrame(c, r); {
	case !check.Works && !opened:
		check.Claimed, check.Got = false, "nothing happened"
	case !check.Works:
		check.addFinding(false, "", "the text finwait:opened came, but "+check.Got)
	case !closedWith4321(r):
		check.addFinding(false, "", "asked to close 4321, sent "+check.Got)
	default:
		check.addFinding(opened,
			"the text finwait:opened, then "+check.Got, "the text finwait:opened did not come before "+check.Got)
	}
}

// checkKickAllStrictly checks that kick-all closes a second connection too, and that the
// server accepts a new one afterwards.
func (c *Client) checkKickAllStrictly(ctx context.Context, check *Check) {
	ready, ended := make(chan struct{}), make(chan *evidence.Record, 1)
	go func() {
		opt := c.options(c.Limits.CloseTimeout, c.Limits.CloseTimeout)
		opt.Triggered = func() { close(ready) }
		script := peers.Opened(thenAnswerClose(
			peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText}, peers.Trigger{})...)
		ended <- &evidence.Record{Record: peers.Run(ctx, script, opt)}
	}()
	var other *evidence.Record
	select {
	case <-ready:
	case other = <-ended: // the other connection failed before it was ready
	}
	asking := c.runTrial(ctx, NewToken(), "", thenAnswerClose(peers.Ask{Command: "kick-all 4321"})...)
	if other == nil {
		other = <-ended
	}
	switch check.addCloseFrame(c, asking); {
	case !check.Works:
		check.Got = "the connection that asked: " + check.Got
	case len(other.Closes) == 0:
		check.addFinding(false, "", "another connection that was open was not closed")
	case !closedWith4321(asking) || !closedWith4321(other):
		check.addFinding(false, "",
			"asked to close all with 4321, sent "+asking.Closes[0].String()+" and "+other.Closes[0].String())
	default:
		after := c.exchange(ctx, NewToken(), peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText})
		check.addFinding(after.Err == "",
			"both open connections: "+asking.Closes[0].String()+"; then a new one was accepted", "afterwards: "+after.Err)
	}
}
