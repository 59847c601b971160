package contract

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
)

// Events asks for the close events of the connection that has this token. It blocks until the
// application tells of one, the limit has passed or ctx is done. The application does not
// announce an event, so Events asks again at growing intervals of 20 ms to 1 s.
func (c *Client) Events(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	var none time.Time
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		asked := time.Now()
		e := c.askEvents(ctx, token)
		if len(e.List) == 0 && !e.Came.IsZero() {
			none = asked
		}
		e.None = none
		if e.Err != "" || len(e.List) > 0 || !asked.Before(limit) {
			return e
		}
		timer := time.NewTimer(min(pause, time.Until(limit))) // it asks for the last time at the limit
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return e
		}
	}
}

// askEvents asks for the close events once, on a connection of its own.
func (c *Client) askEvents(ctx context.Context, token string) evidence.AppEvents {
	if c.Server.Hooks.Events != nil {
		return c.callEvents(ctx, token)
	}
	opt := c.options(c.Limits.CloseTimeout, servers.ProbePatience)
	opt.MessageBytes = eventsBytes
	e := evidence.AppEvents{Asked: true}
	valid, other := false, (*peers.Message)(nil) // other is the first array that is not a list of events
	opt.Received = func(m peers.Message) {
		switch list, err := parseEvents(m); {
		case err == nil:
			valid, e.Came, e.List = true, time.Now(), list
		case other == nil && isArray(m):
			other = &m
		}
	}
	answered := &peers.AwaitMatch{
		What: "the events", Accepts: func(m peers.Message) bool { _, err := parseEvents(m); return err == nil },
	}
	r := peers.Run(ctx, peers.Opened(append(c.awaitEcho(), peers.Ask{Command: "events " + token}, answered,
		peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})...), opt)
	c.keepShortage(r)
	switch {
	case valid:
	case r.Err != "" && other != nil && other.Length > eventsBytes:
		e.Err = fmt.Sprintf("finwait:events was answered with %d bytes, and finwait reads %d of an answer",
			other.Length, eventsBytes)
	case r.Err != "" && other != nil:
		const reason = "finwait:events was answered with %+.80q, not with a JSON array of events, each with a code or null"
		e.Err = fmt.Sprintf(reason, other.Payload)
	case r.Err != "":
		e.Err = "finwait:events: " + r.Err
	}
	return e // neither an answer nor an error: the run is ending
}

// awaitEcho returns steps that wait for an echo. After it the server has sent what it sends
// to every new connection, and the next message is an answer. Without Echo there are none.
func (c *Client) awaitEcho() []peers.Step {
	if !c.Echo {
		return nil
	}
	return []peers.Step{peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText}}
}

// parseEvents reads a JSON array of events. Each must have a code; null says that the library
// does not tell it.
func parseEvents(m peers.Message) (list []evidence.AppEvent, err error) {
	var keys []map[string]json.RawMessage
	if !isArray(m) {
		return nil, errors.New("not an array")
	}
	if err := errors.Join(json.Unmarshal(m.Payload, &list), json.Unmarshal(m.Payload, &keys)); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(keys, func(e map[string]json.RawMessage) bool { return e["code"] == nil }) {
		return nil, errors.New("an event has no code")
	}
	return list, nil
}

// isArray tells whether a message is a text that begins with [, as a JSON array does.
func isArray(m peers.Message) bool { return m.Text && bytes.HasPrefix(m.Payload, []byte("[")) }

// checkEvents checks, before a run, whether the application tells the close events of a
// connection. What the events say is for the rules of the scenarios.
func (c *Client) checkEvents(ctx context.Context, check *Check) {
	events := c.checkEventsOfTokens(ctx, check, c.SameClock)
	if check.Works {
		check.HasCode = len(events) > 0 && events[0].Code != nil
	}
}

// checkEventsOfTokens closes two connections, with the codes 4321 and 4567, and asks for the
// events of the second, of the first, and of a token that no connection had. The check says
// whether each token has its own events, and with sameClock whether their times are right.
// The events of the first connection are returned.
func (c *Client) checkEventsOfTokens(ctx context.Context, check *Check, sameClock bool) []evidence.AppEvent {
	began, codes, tokens := time.Now(), [2]int{4321, 4567}, [2]string{NewToken(), NewToken()}
	var closing sync.WaitGroup
	for i, code := range codes {
		closing.Go(func() {
			closes := peers.Send{peers.CloseFrame(uint16(code), "finwait")}
			c.runTrial(ctx, tokens[i], "", thenEndBriefly(closes, peers.AwaitClose{})...)
		})
	}
	closing.Wait()
	var answers [2]evidence.AppEvents // by the index of the token
	limit := time.Now().Add(c.Limits.CloseTimeout)
	for _, i := range []int{1, 0} {
		answers[i] = c.Events(ctx, tokens[i], limit)
	}
	unused := c.Events(ctx, NewToken(), time.Now())
	check.addFinding(true, fmt.Sprintf("%d events for a connection that was closed with 4321", len(answers[0].List)), "")
	for i, e := range answers {
		switch {
		case e.Err != "":
			check.addFinding(false, "", e.Err)
		case len(e.List) > 0 && e.List[0].Code != nil && *e.List[0].Code == codes[1-i]:
			check.addFinding(false, "",
				fmt.Sprintf("answers for another token: %s for a connection that was closed with %d", e.List[0], codes[i]))
		}
		for _, event := range e.List {
			const skew = time.Second // a time that is cut to whole seconds is off by so much
			if at := event.At; sameClock && at != nil && (at.Before(began.Add(-skew)) || at.After(time.Now().Add(skew))) {
				const reason = "malformed: its time is %s, which is not when the connection was closed (%s): RFC 3339 in UTC"
				check.addFinding(false, "",
					fmt.Sprintf(reason, at.Format(time.RFC3339Nano), began.UTC().Format(time.RFC3339Nano)))
			}
		}
	}
	switch {
	case !check.Works:
	case unused.Err != "":
		check.addFinding(false, "", "a token that was never used: "+unused.Err)
	case len(unused.List) > 0:
		check.addFinding(false, "", "a token that was never used must be answered with []")
	}
	return answers[0].List
}

// NewToken returns a name for a connection (?finwait=TOKEN) that no other connection has.
func NewToken() string { return rand.Text() }
