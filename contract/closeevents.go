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

// Events asks for the close events of the connection that has this token, until
// there is one, or the limit has passed; it blocks until then. There is no event for the event: it asks again at growing
// intervals of 20 ms to 1 s.
func (c *Client) Events(ctx context.Context, token string, limit time.Time) evidence.AppEvents {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		asked := time.Now()
		e := c.askEvents(ctx, token)
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

func (c *Client) askEvents(ctx context.Context, token string) evidence.AppEvents {
	if c.Server.Hooks.Events != nil {
		return c.callEvents(ctx, token)
	}
	opt := c.options(c.Limits.CloseTimeout, servers.ProbePatience)
	opt.MessageBytes = eventsBytes
	e := evidence.AppEvents{Asked: true}
	valid, other := false, (*peers.Message)(nil) // the last answer, and an array that is none
	opt.Received = func(m peers.Message) {
		switch list, err := eventsOf(m); {
		case err == nil:
			valid, e.List = true, list
		case other == nil && isArray(m):
			other = &m
		}
	}
	answered := &peers.AwaitMatch{What: "the events", Accepts: func(m peers.Message) bool { _, err := eventsOf(m); return err == nil }}
	r := peers.Run(ctx, peers.Opened(append(c.greeted(), peers.Ask{Command: "events " + token}, answered,
		peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})...), opt)
	e.Came = time.Now()
	c.note(r)
	switch {
	case valid:
	case r.Err != "" && other != nil && other.Length > eventsBytes:
		e.Err = fmt.Sprintf("finwait:events was answered with %d bytes, and finwait reads %d of an answer", other.Length, eventsBytes)
	case r.Err != "" && other != nil:
		e.Err = fmt.Sprintf("finwait:events was answered with %+.80q, not with a JSON array of events, each with a code or null", other.Payload)
	case r.Err != "":
		e.Err = "finwait:events: " + r.Err
	}
	return e // without either the run is ending
}

// greeted are steps after which a server that echoes has said what it says to
// everybody: what comes then is an answer.
func (c *Client) greeted() []peers.Step {
	if !c.Echo {
		return nil
	}
	return []peers.Step{peers.Send{peers.Text(ProbeText)}, peers.AwaitText{Text: ProbeText}}
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

// tryEvents closes a connection and asks for its event, and for that of a
// connection that never was.
func (c *Client) tryEvents(ctx context.Context, check *Check) {
	own := c.ownEvents(ctx, check, c.SameClock)
	if check.Works {
		check.HasCode = len(own) > 0 && own[0].Code != nil // what they say is for the rules
	}
}

// ownEvents closes two connections, with 4321 and with 4567, and asks for their
// events, for the second's first, and for those of a connection that never was.
// It gives the first's; check tells whether each token had its own and, where the
// target's clock is to be this host's, whether the times are right.
func (c *Client) ownEvents(ctx context.Context, check *Check, clock bool) []evidence.AppEvent {
	began, codes, tokens := time.Now(), [2]int{4321, 4567}, [2]string{NewToken(), NewToken()}
	var closing sync.WaitGroup
	for i, code := range codes {
		closing.Go(func() {
			c.trial(ctx, tokens[i], "", brief(peers.Send{peers.CloseFrame(uint16(code), "finwait")}, peers.AwaitClose{})...)
		})
	}
	closing.Wait()
	var told [2]evidence.AppEvents
	limit := time.Now().Add(c.Limits.CloseTimeout)
	for _, i := range []int{1, 0} {
		told[i] = c.Events(ctx, tokens[i], limit)
	}
	other := c.Events(ctx, NewToken(), time.Now())
	check.judge(true, fmt.Sprintf("%d events for a connection that was closed with 4321", len(told[0].List)), "")
	for i, e := range told {
		switch {
		case e.Err != "":
			check.judge(false, "", e.Err)
		case len(e.List) > 0 && e.List[0].Code != nil && *e.List[0].Code == codes[1-i]:
			check.judge(false, "", fmt.Sprintf("answers for another token: %s for a connection that was closed with %d", e.List[0], codes[i]))
		}
		for _, event := range e.List {
			const skew = time.Second // of the target's clock; a time that is cut to seconds is off by as much
			if at := event.At; clock && at != nil && (at.Before(began.Add(-skew)) || at.After(time.Now().Add(skew))) {
				check.judge(false, "", fmt.Sprintf("malformed: its time is %s, which is not when the connection was closed (%s): RFC 3339 in UTC", at.Format(time.RFC3339Nano), began.UTC().Format(time.RFC3339Nano)))
			}
		}
	}
	switch {
	case !check.Works:
	case other.Err != "":
		check.judge(false, "", "a token that was never used: "+other.Err)
	case len(other.List) > 0:
		check.judge(false, "", "a token that was never used must be answered with []")
	}
	return told[0].List
}

// NewToken is a name for a connection (?finwait=TOKEN) that no other has.
func NewToken() string { return rand.Text() }
