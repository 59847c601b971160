package harness

import (
	"context"
	"errors"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// probeText is what liveness probes and the preflight send to be echoed.
const probeText = "are you there? asks finwait"

// probeBytes are a binary message to be echoed, which is not UTF-8.
const probeBytes = "\x00\xff"

// goodbye is how long a connection of finwait's own waits for the server to end
// TCP; then it is reset.
const goodbye = 100 * time.Millisecond

// probe opens a connection, lets it echo where the target echoes, and closes it.
func (b *Batch) probe(ctx context.Context) evidence.Liveness {
	var steps []peers.Step
	if b.has[evidence.Echo] {
		steps = append(steps, peers.Send{peers.Text(probeText)}, peers.AwaitText{Text: probeText})
	}
	steps = append(steps, peers.Trigger{}, peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	defer b.turn()()
	start := time.Now()
	rec := peers.Run(ctx, peers.Opened(steps...), b.options(b.profile.CloseTimeout, goodbye))
	took := time.Since(start)
	if rec.Triggered {
		took = rec.Trigger.Sub(start)
	}
	short := b.isShort(rec)
	return evidence.Liveness{Tried: ctx.Err() == nil && !short, Short: short, OK: rec.Err == "", Took: took, Err: rec.Err}
}

// isShort tells whether a script failed for want of what finwait's host lacks; the
// first such failure is kept.
func (b *Batch) isShort(rec *peers.Record) bool {
	if !errors.As(rec.Failure, new(*peers.Shortage)) {
		return false
	}
	select {
	case b.short <- rec.Failure:
	default:
	}
	return true
}

func (b *Batch) options(setup, patience time.Duration) peers.Options {
	return peers.Options{URL: b.target.URL, Header: b.target.Header, TLS: b.target.TLS, Setup: setup, Patience: patience}
}
