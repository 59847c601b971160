package contract

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/servers"
)

// hasHook tells whether a function of this process carries out the command.
func hasHook(h servers.Hooks, command evidence.Capability) bool {
	switch command {
	case evidence.CanClose:
		return h.Close != nil
	case evidence.CanTerminate:
		return h.Terminate != nil
	case evidence.CanKickAll:
		return h.KickAll != nil
	case evidence.CanEvents:
		return h.Events != nil
	}
	return false
}

// settled is how long a kick of all waits: the peers have the 101 response before the
// application has their connections.
const settled = 20 * time.Millisecond

// hook gives what carries out a command for the connection with the token by a function
// of this process; nil: there is none.
func (c *Client) hook(name, args, token string) func(context.Context) error {
	text, reason, _ := strings.Cut(args, " ")
	code, _ := strconv.Atoi(text) // 0: none is given
	switch h := c.Server.Hooks; {
	case name == "close" && h.Close != nil:
		return c.known(func() error { return h.Close(token, code, reason) })
	case name == "terminate" && h.Terminate != nil:
		return c.known(func() error { return h.Terminate(token) })
	case name == "kick-all" && h.KickAll != nil:
		return func(ctx context.Context) error {
			pause(ctx, settled)
			return inTime(ctx, func() error { return h.KickAll(code) })
		}
	}
	return nil
}

// known calls a function until it knows the connection, or the response limit is over.
// There is no event for that: it calls at growing intervals of 1 to 10 ms.
func (c *Client) known(call func() error) func(context.Context) error {
	return func(ctx context.Context) error {
		limit := time.Now().Add(c.Limits.Response)
		for wait := time.Millisecond; ; wait = min(2*wait, 10*time.Millisecond) {
			err := inTime(ctx, call)
			if !errors.Is(err, servers.ErrNoConnection) || time.Now().After(limit) {
				return err
			}
			pause(ctx, wait)
		}
	}
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// inTime calls a function of the user, which cannot be ended, and waits for it until
// ctx is done. The error says so then.
func inTime(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("the function did not return in time")
	}
}

// callEvents asks the function that tells the close events; where it does not return
// within the close timeout, that is an error.
func (c *Client) callEvents(ctx context.Context, token string) evidence.AppEvents {
	ctx, cancel := context.WithTimeout(ctx, c.Limits.CloseTimeout)
	defer cancel()
	answer := make(chan []evidence.AppEvent, 1)
	err := inTime(ctx, func() error { answer <- c.Server.Hooks.Events(token); return nil })
	e := evidence.AppEvents{Asked: true}
	switch {
	case err == nil:
		e.Came, e.List = time.Now(), <-answer
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Err = fmt.Sprintf("the function for %s did not return within %s", evidence.CanEvents, figures.Format(c.Limits.CloseTimeout))
	}
	return e // without either the run is ending
}
