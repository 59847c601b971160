package harness

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

func newCommon(p rules.Profile, commands *process.Commands) *common {
	return &common{
		profile: p, commands: commands, turns: make(turns, turnsAtOnce),
		has:         map[evidence.Capability]bool{},
		falseClaims: map[evidence.Capability]string{}, unsupported: map[evidence.Capability]string{},
	}
}

// preflight opens one connection, so that a target that does not answer is one clear error. It
// finds out whether the target echoes, whether it obeys the control contract as far as that is
// wanted, and whether its sockets can be observed on this host. The notes are for the reader of
// the results.
func (e *endpoint) preflight(ctx context.Context, wanted func(evidence.Capability) bool) (notes []string, err error) {
	e.has[evidence.Dark] = peers.Dark() == nil
	e.has[evidence.TLS] = e.server.URL.Scheme == "wss"
	e.has[evidence.NetAdmin] = peers.NetAdmin() == nil
	e.has[evidence.CanStop] = e.server.Process != nil || e.server.StopExec != ""
	e.has[evidence.ChosenCode], e.has[evidence.ChosenReason] = e.contract.CanChoose()
	watched, claimed, rec, err := e.connectOnce(ctx)
	defer watched.stop()
	if err != nil {
		return nil, err
	}
	e.noteObserved(watched)
	e.contract.Echo, e.contract.SameClock = e.has[evidence.Echo], e.has[evidence.Local]
	checks, err := e.contract.Try(ctx, claimed, wanted)
	if err != nil {
		return nil, err
	}
	notes = e.recordChecks(checks)
	if !e.has[evidence.Echo] {
		notes = append(notes, fmt.Sprintf("the target did not echo a text within %s: what needs an echo is skipped",
			figures.Format(e.profile.Response)))
	}
	if e.notObserved != "" {
		notes = append(notes, "server sockets are not observed: "+e.notObserved+e.adviceUnseen())
	}
	if e.asksTheWire() && e.notObserved != "" {
		notes = append(notes, whoEndsTCP(rec, watched.first != nil)...)
	}
	return notes, nil
}

// adviceUnseen says what else can observe the server's sockets, where the user has chosen nothing.
func (e *endpoint) adviceUnseen() string {
	if e.mode == WitnessProbes || e.server.ServerPID != 0 || e.server.ObserveExec != "" {
		return ""
	}
	return "; --server-pid or --observe-exec can observe them there"
}

// connectOnce plays the connection of the preflight, and once more if no echo came, because an
// answer may be lost. It returns the watches on the server's socket, the commands that the server claims to
// obey, nil where it did not answer hello, and the record.
func (e *endpoint) connectOnce(ctx context.Context) (w watches, claimed []string, rec *peers.Record, err error) {
	script := peers.Opened(peers.Trigger{},
		peers.Send{peers.Text(contract.ProbeText), peers.Command(contract.Hello)},
		peers.AwaitText{Text: contract.ProbeText}, peers.AwaitAnswer{Prefix: "finwait:"},
		peers.Send{peers.CloseFrame(1000, "")}, peers.AwaitEnd{}, peers.Finish{})
	opt := e.options(0, e.profile.Response)
	opt.Connected = func(peer, server netip.AddrPort) peers.ServerSocket {
		w = e.watchAll(server, peer)
		return peers.ServerSocket{Accepted: w.accepted()}
	}
	opt.MessageBytes = contract.HelloBytes
	opt.Received = func(m peers.Message) {
		if claims, ok := contract.Claims(m); ok {
			claimed = claims
		}
	}
	for range 2 {
		w.stop()
		rec = peers.Run(ctx, script, opt)
		if ctx.Err() != nil {
			return w, nil, rec, context.Cause(ctx)
		}
		if rec.Failure != nil {
			return w, nil, rec, rec.Failure
		}
		if e.has[evidence.Echo] = rec.Echoes[contract.ProbeText] > 0; e.has[evidence.Echo] {
			break
		}
	}
	return w, claimed, rec, nil
}

// recordChecks takes over what the trials of the contract showed. The notes name the claims that
// are false.
func (e *endpoint) recordChecks(checks []*contract.Check) (notes []string) {
	for _, c := range checks {
		e.has[c.Command] = c.Works
		if c.Command == evidence.CanEvents && c.Works {
			e.has[evidence.TellsCode] = c.HasCode
		}
		if c.Refused {
			e.unsupported[c.Command] = c.Got
		}
		if c.Claimed && !c.Works && c.Command != evidence.CanOpen {
			e.falseClaims[c.Command] = fmt.Sprintf("%s, but it is not obeyed: %s", e.contract.Claim(c.Command), c.Got)
			notes = append(notes, e.falseClaims[c.Command])
		}
	}
	return notes
}
