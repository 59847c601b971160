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

// Check is what became of one command of the contract on trial.
type Check struct {
	Command evidence.Capability
	Claimed bool   // hello named it; ?finwait-open is not named there and is always tried
	Works   bool   // it was obeyed
	Refused bool   // its command line exits with 127: not supported
	HasCode bool   // of finwait:events: the event of a peer that closed with a code has one
	Got     string // what was seen
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
		{evidence.CanClose, c.tryClose}, {evidence.CanTerminate, c.tryTerminate}, {evidence.CanFill, c.tryFill}, {evidence.CanEvents, c.tryEvents}, {evidence.CanOpen, c.tryOpen}, {evidence.CanKickAll, c.tryKickAll},
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

// trial runs a script with short patience on a connection with the token and,
// if any, a command on opening.
func (c *Client) trial(ctx context.Context, token, open string, steps ...peers.Step) *evidence.Record {
	return c.trialHeard(ctx, token, open, nil, steps...)
}

// trialHeard is a trial that hands each message of the server to received.
func (c *Client) trialHeard(ctx context.Context, token, open string, received func(peers.Message), steps ...peers.Step) *evidence.Record {
	opt := c.options(0, c.Limits.CloseTimeout)
	opt.Query, opt.MessageBytes, opt.Received = "finwait="+token, HelloBytes, received
	if open != "" {
		opt.Query += "&finwait-open=" + url.PathEscape(open)
	}
	lines := c.CommandLines(token, nil)
	lines.Into(&opt)
	r := &evidence.Record{Record: peers.Run(ctx, peers.Opened(append([]peers.Step{peers.Trigger{}}, steps...)...), opt)}
	r.Unsupported = lines.Unsupported()
	c.note(r.Record)
	return r
}

// brief are the steps of a trial that is over with the closing handshake. TCP has little
// time to end, first by the server and then by the peer's FIN: how long a server
// holds it is for the scenarios, and no trial is to wait for that.
func brief(steps ...peers.Step) []peers.Step {
	return append(steps, soon{peers.AwaitEnd{}}, soon{peers.Finish{}})
}

// soon is a step that waits for [ProbePatience] at most.
type soon struct{ peers.Step }

// Do implements [peers.Step].
func (s soon) Do(ctx context.Context, p *peers.Peer) error {
	timed, cancel := context.WithTimeout(ctx, servers.ProbePatience)
	defer cancel()
	err := s.Step.Do(timed, p)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (c *Client) tryClose(ctx context.Context, check *Check) {
	r := c.trial(ctx, NewToken(), "", brief(peers.Ask{Command: "close 4321 finwait"}, peers.AwaitClose{}, peers.AnswerClose{})...)
	check.closed(c, r)
	check.Works = check.Works || check.Claimed && ended(r) // a close without a Close frame is for the rules
}

// ended tells whether TCP ended where the script itself did not fail.
func ended(r *evidence.Record) bool {
	return r.Err == "" && (r.Ending == peers.FIN || r.Ending == peers.RST)
}

// closed takes over whether the server sent a Close frame.
func (check *Check) closed(c *Client, r *evidence.Record) {
	switch {
	case len(r.Closes) > 0:
		check.Works, check.Got = true, r.Closes[0].String()
	case r.Unsupported:
		check.Claimed, check.Refused, check.Got = false, true, r.Err
	case r.Err != "":
		check.Got = r.Err
	case ended(r):
		check.Got = "no Close frame; " + strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	default:
		check.Got = "no Close frame within " + figures.Format(c.Limits.CloseTimeout)
	}
}

func (c *Client) tryTerminate(ctx context.Context, check *Check) {
	r := c.trial(ctx, NewToken(), "", peers.Ask{Command: "terminate"}, peers.AwaitEnd{})
	seen := strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	switch {
	case r.Ending != peers.FIN && r.Ending != peers.RST:
		check.judge(false, "", "TCP still open after "+figures.Format(c.Limits.CloseTimeout))
	case len(r.Closes) > 0:
		check.judge(false, "", r.Closes[0].String()+" was sent: a hard kill sends no Close frame; "+seen)
	default:
		check.judge(true, seen, "")
	}
}

func (c *Client) tryFill(ctx context.Context, check *Check) {
	const bytes = 200_000
	r := c.trial(ctx, NewToken(), "", append(c.greeted(), peers.Ask{Command: fmt.Sprintf("fill %d", bytes)}, peers.AwaitBytes{N: bytes}, peers.Reset{})...)
	check.Works, check.Got = r.PeerRST != nil, fmt.Sprintf("asked for %d bytes: %d came", bytes, r.BytesRead)
}

func (c *Client) tryOpen(ctx context.Context, check *Check) {
	check.closed(c, c.trial(ctx, NewToken(), "close 4321", brief(peers.AwaitClose{}, peers.AnswerClose{})...))
}

func (c *Client) tryKickAll(ctx context.Context, check *Check) {
	check.closed(c, c.trial(ctx, NewToken(), "", brief(peers.Ask{Command: "kick-all 4321"}, peers.AwaitClose{}, peers.AnswerClose{})...))
}
