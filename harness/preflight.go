package harness

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/sockets"
)

// preflight opens one connection: a dead target is one clear error. It finds
// out whether the target echoes, whether it obeys the control contract, and
// whether this host shows its sockets.
func (b *Batch) preflight(ctx context.Context, wanted func(evidence.Capability) bool) error {
	b.has[evidence.Dark] = peers.Dark() == nil
	b.has[evidence.TLS] = b.target.URL.Scheme == "wss"
	b.has[evidence.NetAdmin] = peers.NetAdmin() == nil
	script := peers.Opened(peers.Trigger{}, peers.Send{peers.Text(probeText), peers.Command(hello)}, peers.AwaitText{Text: probeText}, peers.AwaitAnswer{Prefix: "finwait:"},
		peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	opt := b.options(0, b.profile.Response)
	var watch *sockets.Watch
	opt.Connected = func(peer, server netip.AddrPort) peers.Sight {
		if b.observer == nil {
			return peers.Sight{}
		}
		watch = b.observer.Watch(server, peer)
		return peers.Sight{Accepted: watch.Accepted()}
	}
	var claimed []string // nil: hello was not answered
	for range 2 {        // an answer may be lost once
		if watch != nil {
			watch.Stop()
		}
		rec := peers.Run(ctx, script, opt)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if rec.Failure != nil {
			return rec.Failure
		}
		for _, m := range rec.Messages {
			b.has[evidence.Echo] = b.has[evidence.Echo] || string(m.Payload) == probeText
			if claims, ok := strings.CutPrefix(string(m.Payload), greeting); ok {
				claimed = strings.Fields(claims)
			}
		}
		if b.has[evidence.Echo] {
			break
		}
	}
	switch {
	case watch == nil:
		b.unseen = "server sockets are not observed: " + b.unseen
	case watch.Lifetime().Accepted.IsZero():
		b.unseen = "server sockets are not observed: the target's end of the connection is not in this host's kernel (or network namespace)"
	default:
		b.has[evidence.Local] = true
	}
	checks := b.contract(ctx, claimed, wanted)
	select {
	case err := <-b.short:
		return err
	default:
	}
	b.believe(checks)
	if !b.has[evidence.Echo] {
		b.run.Notes = append(b.run.Notes, fmt.Sprintf("the target did not echo a text within %s: what needs an echo is skipped", figures.Format(b.profile.Response)))
	}
	if watch != nil {
		watch.Stop()
	}
	if b.unseen != "" {
		b.run.Notes = append(b.run.Notes, b.unseen)
	}
	return nil
}

// believe takes over what the contract's trials showed.
func (b *Batch) believe(checks []*Check) {
	for _, c := range checks {
		b.has[c.Command] = c.Works
		if c.Refused {
			b.refused[c.Command] = c.Got
		}
		if c.Claimed && !c.Works && c.Command != evidence.CanOpen {
			claim := fmt.Sprintf("the target claims %s", c.Command)
			if b.target.has(c.Command) {
				claim = fmt.Sprintf("a command line is given for %s", c.Command)
			}
			b.lies[c.Command] = fmt.Sprintf("%s, but it is not obeyed: %s", claim, c.Got)
			b.run.Notes = append(b.run.Notes, b.lies[c.Command])
		}
	}
}
