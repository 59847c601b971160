package contract

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
)

// Check is the outcome of the trial of one command of the contract.
type Check struct {
	Command evidence.Capability
	Claimed bool   // the answer to hello names the command; ?finwait-open is never named there, and always tried
	Works   bool   // the server obeyed the command
	Refused bool   // the command line exits with 127: the server does not support the command
	HasCode bool   // for finwait:events: the event of a peer that closed with a code has that code
	Got     string // what was seen, for the reader
}

// Try tries every command that is wanted and that the server claims, or for which
// the user gave a command line or a function, all at the same time. A claim alone is not
// believed: Check.Got says what does not work. Where hello was not answered,
// claimed is nil. It blocks for some seconds at most; its error is a
// [peers.Shortage]: this host lacked what a trial needs.
func (c *Client) Try(ctx context.Context, claimed []string, wanted func(evidence.Capability) bool) ([]*Check, error) {
	trials := []struct {
		command evidence.Capability
		try     func(context.Context, *Check)
	}{
		{evidence.CanClose, c.checkClose}, {evidence.CanTerminate, c.checkTerminate},
		{evidence.CanFill, c.checkFill}, {evidence.CanEvents, c.checkEvents},
		{evidence.CanOpen, c.checkOpen}, {evidence.CanKickAll, c.checkKickAll},
	}
	var checks []*Check
	var trying sync.WaitGroup
	for _, t := range trials {
		if !wanted(t.command) {
			continue
		}
		name := strings.TrimPrefix(string(t.command), "finwait:")
		check := &Check{Command: t.command, Got: "not claimed by hello"}
		check.Claimed = slices.Contains(claimed, name) || c.ByUser(t.command) || t.command == evidence.CanOpen && claimed != nil
		if check.Claimed && t.command == evidence.CanKickAll {
			trying.Wait() // it closes every connection
		}
		if check.Claimed {
			trying.Go(func() { t.try(ctx, check) })
		}
		checks = append(checks, check)
	}
	trying.Wait()
	return checks, c.shortage()
}

// runTrial opens a connection with the token, runs the steps, and waits for the close timeout
// at most. onOpen is the command of ?finwait-open; it may be empty.
func (c *Client) runTrial(ctx context.Context, token, onOpen string, steps ...peers.Step) *evidence.Record {
	return c.runTrialReceiving(ctx, token, onOpen, nil, steps...)
}

// runTrialReceiving is runTrial with a function that gets each message of the server.
func (c *Client) runTrialReceiving(
	ctx context.Context, token, onOpen string, received func(peers.Message), steps ...peers.Step,
) *evidence.Record {
	opt := c.options(0, c.Limits.CloseTimeout)
	opt.Query, opt.MessageBytes, opt.Received = "finwait="+token, HelloBytes, received
	if onOpen != "" {
		opt.Query += "&finwait-open=" + url.PathEscape(onOpen)
	}
	lines := c.CommandLines(token, nil)
	lines.Into(&opt)
	r := &evidence.Record{Record: peers.Run(ctx, peers.Opened(append([]peers.Step{peers.Trigger{}}, steps...)...), opt)}
	r.Unsupported = lines.Unsupported()
	c.keepShortage(r.Record)
	return r
}

// thenEndBriefly appends the end of a trial that shows all it has to show in the closing
// handshake. The server, and then the peer's FIN, may take [servers.ProbePatience] each to end
// TCP: the scenarios measure how long a server needs, and no trial waits for that.
func thenEndBriefly(steps ...peers.Step) []peers.Step {
	return append(steps, briefStep{peers.AwaitEnd{}}, briefStep{peers.Finish{}})
}

// briefStep is a step that waits for [servers.ProbePatience] at most.
type briefStep struct{ peers.Step }

// Do implements [peers.Step]. It is no error that the time was too short.
func (s briefStep) Do(ctx context.Context, p *peers.Peer) error {
	timed, cancel := context.WithTimeout(ctx, servers.ProbePatience)
	defer cancel()
	err := s.Step.Do(timed, p)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// closeAnswered are the steps of a peer that answers the server's Close frame.
func closeAnswered(before ...peers.Step) []peers.Step {
	return thenEndBriefly(append(before, peers.AwaitClose{}, peers.AnswerClose{})...)
}

// checkClose and the five checks below are short trials before a run. A command works if the
// server does roughly what it asks for; how well it does it is for the rules of the scenarios.
func (c *Client) checkClose(ctx context.Context, check *Check) {
	r := c.runTrial(ctx, NewToken(), "", closeAnswered(peers.Ask{Command: "close 4321 finwait"})...)
	check.addCloseFrame(c, r)
	check.Works = check.Works || check.Claimed && tcpEnded(r) // the rules judge a close without a Close frame
}

// tcpEnded tells whether the script did not fail and TCP ended.
func tcpEnded(r *evidence.Record) bool {
	return r.Err == "" && (r.Ending == peers.FIN || r.Ending == peers.RST)
}

// addCloseFrame sets the check by whether the server sent a Close frame.
func (check *Check) addCloseFrame(c *Client, r *evidence.Record) {
	switch {
	case len(r.Closes) > 0:
		check.Works, check.Got = true, r.Closes[0].String()
	case r.Unsupported:
		check.Claimed, check.Refused, check.Got = false, true, r.Err
	case r.Err != "":
		check.Got = r.Err
	case tcpEnded(r):
		check.Got = "no Close frame; " + strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	default:
		check.Got = "no Close frame within " + figures.Format(c.Limits.CloseTimeout)
	}
}

func (c *Client) checkTerminate(ctx context.Context, check *Check) {
	r := c.runTrial(ctx, NewToken(), "", peers.Ask{Command: "terminate"}, peers.AwaitEnd{})
	seen := strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	switch {
	case r.Ending != peers.FIN && r.Ending != peers.RST:
		check.addFinding(false, "", "TCP still open after "+figures.Format(c.Limits.CloseTimeout))
	case len(r.Closes) > 0:
		check.addFinding(false, "", r.Closes[0].String()+" was sent: a hard kill sends no Close frame; "+seen)
	default:
		check.addFinding(true, seen, "")
	}
}

func (c *Client) checkFill(ctx context.Context, check *Check) {
	const bytes = 200_000
	steps := append(c.awaitEcho(),
		peers.Ask{Command: fmt.Sprintf("fill %d", bytes)}, peers.AwaitBytes{N: bytes}, peers.Reset{})
	r := c.runTrial(ctx, NewToken(), "", steps...)
	check.Works, check.Got = r.PeerRST != nil, fmt.Sprintf("asked for %d bytes: %d came", bytes, r.BytesRead)
}

func (c *Client) checkOpen(ctx context.Context, check *Check) {
	check.addCloseFrame(c, c.runTrial(ctx, NewToken(), "close 4321", closeAnswered()...))
}

func (c *Client) checkKickAll(ctx context.Context, check *Check) {
	check.addCloseFrame(c, c.runTrial(ctx, NewToken(), "", closeAnswered(peers.Ask{Command: "kick-all 4321"})...))
}
