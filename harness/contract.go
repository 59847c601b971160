package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// hello is the command that asks for the others, and greeting what its answer
// begins with.
const (
	hello    = "hello"
	greeting = "finwait:v1 "
)

// Check is what became of one command of the contract on trial.
type Check struct {
	Command evidence.Capability
	Claimed bool   // hello named it; ?finwait-open is not named there and is always tried
	Works   bool   // it was obeyed
	Refused bool   // its command line exits with 127: not supported
	Got     string // what was seen
}

// contract tries every command that is wanted and that the target claims, or
// for which the user gave a command line. A claim alone is not believed: what
// does not work is told in Check.Got. Where hello was not answered, claimed is
// nil.
func (b *Batch) contract(ctx context.Context, claimed []string, wanted func(evidence.Capability) bool) []*Check {
	trials := []struct {
		command evidence.Capability
		try     func(context.Context, *Check)
	}{
		{evidence.CanClose, b.tryClose}, {evidence.CanTerminate, b.tryTerminate}, {evidence.CanFill, b.tryFill}, {evidence.CanEvents, b.tryEvents}, {evidence.CanOpen, b.tryOpen}, {evidence.CanKickAll, b.tryKickAll},
	}
	var checks []*Check
	var trying sync.WaitGroup
	for _, t := range trials {
		if !wanted(t.command) {
			continue
		}
		name := strings.TrimPrefix(string(t.command), "finwait:")
		c := &Check{Command: t.command, Got: "not claimed by hello"}
		c.Claimed = slices.Contains(claimed, name) || b.target.has(t.command) || t.command == evidence.CanOpen && claimed != nil
		if c.Claimed && t.command == evidence.CanKickAll {
			trying.Wait() // it closes every connection
		}
		if c.Claimed {
			trying.Go(func() { t.try(ctx, c) })
		}
		checks = append(checks, c)
	}
	trying.Wait()
	return checks
}

// trial runs a script with short patience on a connection with the token and,
// if any, a command on opening.
func (b *Batch) trial(ctx context.Context, token, open string, steps ...peers.Step) *evidence.Record {
	opt := b.options(0, b.profile.CloseTimeout)
	opt.Query, opt.Keep = "finwait="+token, 64<<10
	if open != "" {
		opt.Query += "&finwait-open=" + url.PathEscape(open)
	}
	execs := b.commanded(&opt, token)
	r := &evidence.Record{Record: peers.Run(ctx, peers.Opened(append([]peers.Step{peers.Trigger{}}, steps...)...), opt)}
	r.Refused = execs.refused.Load()
	b.isShort(r.Record)
	return r
}

// brief are the steps of a trial that is over with the closing handshake. TCP has little
// time to end, first by the server and then by the peer's FIN: how long a server
// holds it is for the scenarios, and no trial is to wait for that.
func brief(steps ...peers.Step) []peers.Step {
	return append(steps, soon{peers.AwaitEnd{}}, soon{peers.Finish{}})
}

// soon is a step that waits for [goodbye] at most.
type soon struct{ peers.Step }

// Do implements [peers.Step].
func (s soon) Do(ctx context.Context, p *peers.Peer) error {
	timed, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	err := s.Step.Do(timed, p)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (b *Batch) tryClose(ctx context.Context, c *Check) {
	r := b.trial(ctx, newToken(), "", brief(peers.Ask{Command: "close 4321 finwait"}, peers.AwaitClose{}, peers.AnswerClose{})...)
	c.closed(b, r)
	c.Works = c.Works || c.Claimed && ended(r) // a close without a Close frame is for the rules
}

// ended tells whether TCP ended where the script itself did not fail.
func ended(r *evidence.Record) bool {
	return r.Err == "" && (r.Ending == peers.FIN || r.Ending == peers.RST)
}

// closed takes over whether the server sent a Close frame.
func (c *Check) closed(b *Batch, r *evidence.Record) {
	switch {
	case len(r.Closes) > 0:
		c.Works, c.Got = true, r.Closes[0].String()
	case r.Refused:
		c.Claimed, c.Refused, c.Got = false, true, r.Err
	case r.Err != "":
		c.Got = r.Err
	case ended(r):
		c.Got = "no Close frame; " + strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	default:
		c.Got = "no Close frame within " + figures.Format(b.profile.CloseTimeout)
	}
}

func (b *Batch) tryTerminate(ctx context.Context, c *Check) {
	r := b.trial(ctx, newToken(), "", peers.Ask{Command: "terminate"}, peers.AwaitEnd{})
	seen := strings.ToUpper(string(r.Ending)) + " at " + figures.Format(r.EndedAt)
	switch {
	case r.Ending != peers.FIN && r.Ending != peers.RST:
		c.judge(false, "", "TCP still open after "+figures.Format(b.profile.CloseTimeout))
	case len(r.Closes) > 0:
		c.judge(false, "", r.Closes[0].String()+" was sent: a hard kill sends no Close frame; "+seen)
	default:
		c.judge(true, seen, "")
	}
}

func (b *Batch) tryFill(ctx context.Context, c *Check) {
	const bytes = 200_000
	r := b.trial(ctx, newToken(), "", append(b.greeted(), peers.Ask{Command: fmt.Sprintf("fill %d", bytes)}, peers.AwaitBytes{N: bytes}, peers.Reset{})...)
	c.Works, c.Got = r.PeerRST != nil, fmt.Sprintf("asked for %d bytes: %d came", bytes, r.BytesRead)
}

func (b *Batch) tryOpen(ctx context.Context, c *Check) {
	c.closed(b, b.trial(ctx, newToken(), "close 4321", brief(peers.AwaitClose{}, peers.AnswerClose{})...))
}

func (b *Batch) tryKickAll(ctx context.Context, c *Check) {
	c.closed(b, b.trial(ctx, newToken(), "", brief(peers.Ask{Command: "kick-all 4321"}, peers.AwaitClose{}, peers.AnswerClose{})...))
}

// tryEvents closes a connection and asks for its event, and for that of a
// connection that never was.
func (b *Batch) tryEvents(ctx context.Context, c *Check) {
	own := b.ownEvents(ctx, c, b.has[evidence.Local])
	if c.Works {
		b.has[evidence.TellsCode] = len(own) > 0 && own[0].Code != nil // what they say is for the rules
	}
}

// ownEvents closes two connections, with 4321 and with 4567, and asks for their
// events, for the second's first, and for those of a connection that never was.
// It gives the first's; c tells whether each token had its own and, where the
// target's clock is to be this host's, whether the times are right.
func (b *Batch) ownEvents(ctx context.Context, c *Check, clock bool) []evidence.AppEvent {
	began, codes, tokens := time.Now(), [2]int{4321, 4567}, [2]string{newToken(), newToken()}
	var closing sync.WaitGroup
	for i, code := range codes {
		closing.Go(func() {
			b.trial(ctx, tokens[i], "", brief(peers.Send{peers.CloseFrame(uint16(code), "finwait")}, peers.AwaitClose{})...)
		})
	}
	closing.Wait()
	var told [2]evidence.AppEvents
	limit := time.Now().Add(b.profile.CloseTimeout)
	for _, i := range []int{1, 0} {
		told[i] = b.fetchEvents(ctx, tokens[i], limit)
	}
	other := b.fetchEvents(ctx, newToken(), time.Now())
	c.judge(true, fmt.Sprintf("%d events for a connection that was closed with 4321", len(told[0].List)), "")
	for i, e := range told {
		switch {
		case e.Err != "":
			c.judge(false, "", e.Err)
		case len(e.List) > 0 && e.List[0].Code != nil && *e.List[0].Code == codes[1-i]:
			c.judge(false, "", fmt.Sprintf("answers for another token: %s for a connection that was closed with %d", e.List[0], codes[i]))
		}
		for _, event := range e.List {
			const skew = time.Second // of the target's clock; a time that is cut to seconds is off by as much
			if at := event.At; clock && at != nil && (at.Before(began.Add(-skew)) || at.After(time.Now().Add(skew))) {
				c.judge(false, "", fmt.Sprintf("malformed: its time is %s, which is not when the connection was closed (%s): RFC 3339 in UTC", at.Format(time.RFC3339Nano), began.UTC().Format(time.RFC3339Nano)))
			}
		}
	}
	switch {
	case !c.Works:
	case other.Err != "":
		c.judge(false, "", "a token that was never used: "+other.Err)
	case len(other.List) > 0:
		c.judge(false, "", "a token that was never used must be answered with []")
	}
	return told[0].List
}

// fetchEvents asks for the close events of a token until there is one, or the
// limit has passed. There is no event for the event: it asks again at growing
// intervals of 20 ms to 1 s.
func (b *Batch) fetchEvents(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		asked := time.Now()
		e := b.askEvents(ctx, token)
		if e.Err != "" || len(e.List) > 0 || !asked.Before(limit) {
			return e
		}
		timer := time.NewTimer(min(pause, time.Until(limit))) // the last time at the limit
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return e
		}
	}
}

func (b *Batch) askEvents(ctx context.Context, token string) evidence.AppEvents {
	opt := b.options(b.profile.CloseTimeout, goodbye)
	opt.Keep = 64 << 10
	answered := &peers.AwaitMatch{What: "the events", Accepts: func(m peers.Message) bool { _, err := eventsOf(m); return err == nil }}
	r := peers.Run(ctx, peers.Opened(append(b.greeted(), peers.Ask{Command: "events " + token}, answered,
		peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})...), opt)
	e := evidence.AppEvents{Asked: true, Came: time.Now()}
	b.isShort(r)
	array := slices.IndexFunc(r.Messages, isArray)
	for _, m := range slices.Backward(r.Messages) {
		if list, err := eventsOf(m); err == nil {
			e.List = list
			return e
		}
	}
	switch {
	case r.Err != "" && array >= 0:
		e.Err = fmt.Sprintf("finwait:events was answered with %+.80q, not with a JSON array of events, each with a code or null", r.Messages[array].Payload)
	case r.Err != "":
		e.Err = "finwait:events: " + r.Err
	}
	return e // without either the run is ending
}

// greeted are steps after which a server that echoes has said what it says to
// everybody: what comes then is an answer.
func (b *Batch) greeted() []peers.Step {
	if !b.has[evidence.Echo] {
		return nil
	}
	return []peers.Step{peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText}}
}

// eventsOf reads an array of events, each with a code, if only null: what the library
// does not tell is not left out.
func eventsOf(m peers.Message) (list []evidence.AppEvent, err error) {
	var keys []map[string]json.RawMessage
	if !isArray(m) {
		return nil, errors.New("it is no array")
	}
	if err := errors.Join(json.Unmarshal(m.Payload, &list), json.Unmarshal(m.Payload, &keys)); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(keys, func(e map[string]json.RawMessage) bool { return e["code"] == nil }) {
		return nil, errors.New("an event has no code")
	}
	return list, nil
}

// isArray tells whether a message is a text that begins as a JSON array does.
func isArray(m peers.Message) bool { return m.Text && bytes.HasPrefix(m.Payload, []byte("[")) }

// newToken names a connection for finwait:events.
func newToken() string { return rand.Text() }

// events asks for the application's close events of a connection until there is
// one, or the limit has passed.
func (b *Batch) events(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	if !b.has[evidence.CanEvents] || ctx.Err() != nil {
		return evidence.AppEvents{}
	}
	return b.fetchEvents(ctx, token, limit)
}

// eventsAfter asks for the close events of a connection that has ended: until the
// patience is over, so that a late event is a figure, or once where none is due,
// because the handshake was never complete. Where finwait's own RST ended it, those
// that came before that stand: see [peers.Options.GivingUp].
func (b *Batch) eventsAfter(ctx context.Context, r *evidence.Record) evidence.AppEvents {
	switch {
	case r.GaveUp:
		return r.Events
	case r.Status == http.StatusSwitchingProtocols:
		return b.events(ctx, r.Token, r.Trigger.Add(b.profile.Patience))
	}
	return b.events(ctx, r.Token, time.Now())
}
