package harness

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/sockets"
)

// socketWatch follows the server's end of one connection: a [sockets.Watch] or a
// [sockets.RemoteWatch].
type socketWatch interface {
	Accepted() <-chan struct{}
	Released() <-chan struct{}
	Freed() <-chan struct{}
	Lifetime() sockets.Lifetime
	Urgent()
	Look()
	Stop()
}

// socketObserver watches the server's sockets; its zero value cannot.
type socketObserver struct {
	by       evidence.Witness
	watch    func(server, peer netip.AddrPort) socketWatch // nil: sockets cannot be observed
	close    func() error
	failed   func() error // why nothing is seen any more; nil: this kind of observer does not fail
	notThere string       // what it means if the preflight's connection is not seen
}

// openObserver opens the observer that the target names, or that of this host's network namespace;
// and, where all witnesses are to be compared, both. The error of the latter is a note for the
// reader: a target elsewhere has no such sockets. What the user asked for and cannot have is an
// error of one line.
func openObserver(ctx context.Context, t *servers.Target, mode WitnessMode) (o observers, err error) {
	elsewhere := t.ObserveExec != "" && mode != WitnessKernel
	switch {
	case mode == WitnessProbes:
		o.notObserved = "the kernel is not asked for them, because only the wire is to tell"
		return o, nil
	case mode == WitnessObserver && t.ObserveExec == "":
		return o, errors.New("--witness observer: say how it is started beside the server, by --observe-exec")
	case !elsewhere || mode == WitnessAll:
		if o.first, o.notObserved, err = openKernel(t.ServerPID); err != nil {
			return o, err
		}
	}
	if !elsewhere {
		return o, nil
	}
	remote, err := sockets.OpenRemote(ctx, process.Shell(context.WithoutCancel(ctx), t.ObserveExec))
	if err != nil {
		o.end()
		mask := secret.Sent(t.URL, t.Header).Mask
		return o, fmt.Errorf("--observe-exec %s: %s", mask(strings.TrimSpace(t.ObserveExec)), mask(err.Error()))
	}
	o.further = socketObserver{
		by: evidence.Observer, close: remote.Close, failed: remote.Failed, notThere: "it is not seen",
		watch: func(_, peer netip.AddrPort) socketWatch { return remote.Watch(peer) },
	}
	if o.first.watch == nil {
		o.promote()
	}
	return o, nil
}

// openKernel opens the observer of a network namespace: that of a process, or this host's for 0. The
// note says why the latter cannot be opened.
func openKernel(pid int) (o socketObserver, note string, err error) {
	kernel, err := sockets.OpenAt(pid)
	switch {
	case err != nil && pid != 0:
		return o, "", fmt.Errorf("--server-pid: %w", err)
	case err != nil:
		return o, err.Error(), nil
	}
	notThere := "the target's end of the connection is not in this host's kernel (or network namespace)"
	if pid != 0 {
		notThere = fmt.Sprintf("the target's end of the connection is not in the network namespace of process %d: "+
			"give the address that the server has there", pid)
	}
	return socketObserver{
		by: evidence.Kernel, close: kernel.Close, notThere: notThere,
		watch: func(server, peer netip.AddrPort) socketWatch { return kernel.Watch(server, peer) },
	}, "", nil
}

// observers are those of a run: the first whose word counts, and where witnesses are compared a
// further one.
type observers struct {
	first, further socketObserver // zero: there is none
	notObserved    string         // why the first does not observe the server's sockets; empty: it does
}

// promote puts the further observer in the place of the first, which sees nothing.
func (o *observers) promote() {
	if o.first.close != nil {
		_ = o.first.close()
	}
	o.first, o.further, o.notObserved = o.further, socketObserver{}, ""
}

// end closes the observers.
func (o *observers) end() {
	for _, one := range []socketObserver{o.first, o.further} {
		if one.close != nil {
			_ = one.close()
		}
	}
}

// failure returns why nothing is seen any more; nil: the observer works, or there is none.
func (o *socketObserver) failure() error {
	if o.failed == nil {
		return nil
	}
	return o.failed()
}

// watches are those on the server's end of one connection.
type watches struct {
	first, further socketWatch // nil: not observed
	why            error       // why first is nil
}

// watchAll begins to watch the server's end of a connection with each observer.
func (o *observers) watchAll(server, peer netip.AddrPort) (w watches) {
	switch err := o.first.failure(); {
	case o.notObserved != "":
		w.why = errors.New(o.notObserved)
	case err != nil:
		w.why = err
	default:
		w.first = o.first.watch(server, peer)
	}
	if o.further.watch != nil && o.further.failure() == nil {
		w.further = o.further.watch(server, peer)
	}
	return w
}

// accepted is closed when a process was seen to accept the connection; nil: nobody can see that.
func (w watches) accepted() <-chan struct{} {
	local, is := w.first.(*sockets.Watch)
	switch {
	case w.first != nil && (!is || local.Found()):
		return w.first.Accepted()
	case w.further != nil:
		return w.further.Accepted()
	}
	return nil
}

// urgent tells the observers that the end of the socket is expected from now on.
func (w watches) urgent() {
	for _, one := range []socketWatch{w.first, w.further} {
		if one != nil {
			one.Urgent()
		}
	}
}

func (w watches) stop() {
	for _, one := range []socketWatch{w.first, w.further} {
		if one != nil {
			one.Stop()
		}
	}
}

// noteObserved takes over what the preflight's connection showed: whether the server's sockets
// can be observed, and by whom.
func (c *common) noteObserved(w watches) {
	switch {
	case w.why != nil:
		c.notObserved = w.why.Error()
	case w.first.Lifetime().Accepted.IsZero():
		c.notObserved = whyUnseen(w.first.Lifetime(), c.first.notThere)
	}
	if c.notObserved != "" && w.further != nil && !w.further.Lifetime().Accepted.IsZero() {
		c.promote()
	}
	c.has[evidence.Local] = c.notObserved == "" && c.first.by == evidence.Kernel
}

// whyUnseen says why a socket was not seen; otherwise, if the observer knows nothing better.
func whyUnseen(l sockets.Lifetime, otherwise string) string {
	if l.Failed != nil {
		return l.Failed.Error()
	}
	return otherwise
}

// observerFailure returns a note if the observer failed during the run.
func (c *common) observerFailure() []string {
	for _, o := range []socketObserver{c.first, c.further} {
		if err := o.failure(); err != nil && c.notObserved == "" {
			return []string{"server sockets were observed until this happened: " + err.Error()}
		}
	}
	return nil
}
