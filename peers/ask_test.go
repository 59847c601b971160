package peers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// A command from outside the connection runs beside the script.
func TestAskFromOutside(t *testing.T) {
	opened := func(s ...Step) Script { return Opened(append([]Step{Trigger{}, Ask{Command: "close 1000"}}, s...)...) }
	answers := opened(AwaitClose{}, AnswerClose{}, AwaitEnd{}, Finish{})
	for _, c := range []struct {
		name    string
		script  Script
		command func(ctx context.Context, order chan<- bool, over <-chan struct{}) error
		err     string // begins the record's
		trace   string // a line of it
	}{
		{"waits for the close itself", answers, func(ctx context.Context, order chan<- bool, over <-chan struct{}) error {
			order <- true
			select {
			case <-over:
				return nil
			case <-ctx.Done(): // the peer waits for the command
				return ctx.Err()
			}
		}, "", "the command is done"},
		{"still runs when the time is up", opened(AwaitClose{}, HoldOpen{}), func(ctx context.Context, order chan<- bool,
			_ <-chan struct{}) error {
			order <- true
			<-ctx.Done()
			return errors.New("killed")
		}, "", "the command still ran, and was killed"},
		{"does nothing until the time is up", answers, func(ctx context.Context, _ chan<- bool, _ <-chan struct{}) error {
			<-ctx.Done()
			return errors.New("killed")
		}, "ask close 1000: killed", ""},
		{"fails at once", answers, func(context.Context, chan<- bool, <-chan struct{}) error {
			return errors.New("no such thing")
		}, "ask close 1000: no such thing", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			order, over := make(chan bool, 1), make(chan struct{})
			o := serve(t, func(s *conn) {
				s.upgrade()
				select {
				case <-order:
					s.send(CloseFrame(1000, ""))
				case <-s.over:
				}
				_, _ = s.in.ReadByte() // the answer
				s.fin()
				_, _ = s.drain()
				close(over)
			})
			o.Patience = 300 * time.Millisecond
			if c.err == "ask close 1000: no such thing" {
				o.Patience = never
			}
			o.Command = func(string) func(context.Context) error {
				return func(ctx context.Context) error { return c.command(ctx, order, over) }
			}
			r := Run(t.Context(), c.script, o)
			if (r.Err != "" || c.err != "") && r.Err != c.err {
				t.Errorf("%q, want %q", r.Err, c.err)
			}
			found := c.trace == ""
			for _, e := range r.Trace {
				found = found || strings.HasPrefix(e.What, c.trace)
			}
			if !found {
				t.Errorf("no line %q", c.trace)
				dump(t, r)
			}
		})
	}
}
