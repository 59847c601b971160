package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/matrix"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

// ssLate is how far apart two looks of ss may be, to be evidence: it walks all
// sockets and starts as a program each time, some 5 ms on an idle machine.
const ssLate = 250 * time.Millisecond

// sighting is what one run of ss told of a server's socket.
type sighting struct {
	from, to time.Time // the run
	held     bool      // a process held it: it had an inode
}

// ssLog runs ss(8) again and again, and keeps what changed for each socket.
type ssLog struct {
	mu      sync.Mutex
	runs    []sighting // without held
	sockets map[ends][]sighting
}

// ends are the addresses of a connection.
type ends struct{ server, peer netip.AddrPort }

func endsOf(server, peer string) (out ends, err error) {
	for _, end := range []struct {
		text string
		to   *netip.AddrPort
	}{{server, &out.server}, {peer, &out.peer}} {
		a, err := netip.ParseAddrPort(end.text)
		if err != nil {
			return out, err
		}
		*end.to = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return out, nil
}

// shutdowns stops the server of a target's folder with each crowd of the family
// shutdown, and compares how long each socket was held with a log of ss.
func shutdowns(folder string, w io.Writer) error {
	targets, err := matrix.Load(folder)
	if err != nil {
		return err
	}
	target, err := targets[0].Server(rules.Profile{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := &ssLog{sockets: map[ends][]sighting{}}
	logged := make(chan error, 1)
	go func() { logged <- log.run(ctx) }()
	batch, err := harness.Start(ctx, target, scenarios.Shutdown(scenarios.CrowdSize), harness.Options{})
	if err != nil {
		cancel()
		return errors.Join(err, <-logged)
	}
	run := batch.Wait()
	cancel()
	if err := <-logged; err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s: each socket's release, as finwait and as ss saw it (ss ran %d times)\n", targets[0].Name, len(log.runs))
	fmt.Fprintf(w, "%-26s %-14s %6s %7s %7s %10s %10s\n", "scenario", "kind", "n", "agree", "between", "p50", "widest ss")
	ok := true
	for _, r := range run.Results {
		if r.Record == nil || r.Err != "" {
			ok = false
			fmt.Fprintf(w, "%-26s %s %s\n", r.Scenario.ID, r.Verdict, r.Err)
			continue
		}
		ok = log.compare(w, r) && ok
	}
	if !ok {
		return errOver
	}
	return nil
}

// run asks ss until ctx is done, and once more: a socket that was let go of
// right before that is still in the run under way.
func (l *ssLog) run(ctx context.Context) error {
	for last := false; !last; {
		last = ctx.Err() != nil
		s := sighting{from: time.Now()}
		out, err := exec.Command("ss", "-Htane").Output()
		s.to = time.Now()
		if err != nil {
			return fmt.Errorf("ss: %w", err)
		}
		l.mu.Lock()
		l.runs = append(l.runs, s)
		for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
			f := strings.Fields(lines.Text())
			if len(f) < 5 {
				continue
			}
			of, err := endsOf(f[3], f[4])
			if err != nil {
				continue // of a listener
			}
			s.held = strings.Contains(lines.Text(), " ino:") && !strings.Contains(lines.Text(), " ino:0 ")
			l.sockets[of] = append(l.sockets[of], s)
		}
		l.mu.Unlock()
	}
	return nil
}

// released is the interval between the last time that ss saw a peer's socket with
// a process and the first time, after the trigger, that it did not. A later
// connection may have the same addresses. held is zero: it never saw it with one;
// gone is: it saw it so to the end.
func (l *ssLog) released(of ends, trigger time.Time) (held, gone time.Time) {
	seen := map[time.Time]bool{}
	for _, s := range l.sockets[of] {
		seen[s.from] = s.held
	}
	for _, s := range l.runs {
		switch {
		case seen[s.from]:
			held = s.from
		case !held.IsZero() && s.from.After(trigger):
			return held, s.to
		}
	}
	return held, gone
}

// looked tells whether a whole run of ss lies in the interval.
func (l *ssLog) looked(from, to time.Time) bool {
	return slices.ContainsFunc(l.runs, func(s sighting) bool { return s.from.After(from) && s.to.Before(to) })
}

// accepted is when finwait first saw a socket in the hands of a process.
func accepted(r *evidence.Record) time.Time {
	i := slices.IndexFunc(r.Socket.States, func(s evidence.State) bool { return s.Held })
	if i < 0 {
		return r.Start
	}
	return r.Trigger.Add(r.Socket.States[i].At)
}

// tally is what was compared of one kind of peer.
type tally struct {
	n, agree, between int // between two runs of ss lies all of its socket's life
	lives             []difference
	widest            time.Duration
}

func (l *ssLog) compare(w io.Writer, r *harness.Result) bool {
	kinds, order := map[string]*tally{}, []string{}
	good := true
	for _, m := range r.Record.Crowd {
		if m.Kind == "connecting" { // during the stop: it may have had no socket
			continue
		}
		t := kinds[m.Kind]
		if t == nil {
			t = &tally{}
			kinds[m.Kind], order = t, append(order, m.Kind)
		}
		t.n++
		good = l.one(w, t, m) && good
	}
	for _, kind := range order {
		t := kinds[kind]
		good = good && t.agree > 0
		sortDifferences(t.lives)
		fmt.Fprintf(w, "%-26s %-14s %6d %7d %7d %10s %10s\n", r.Scenario.ID, kind, t.n, t.agree, t.between, figures.Format(percentile(t.lives, 50)), figures.Format(t.widest))
	}
	return good
}

// one compares the socket of one peer, and tells what disagrees.
func (l *ssLog) one(w io.Writer, t *tally, m *evidence.Record) bool {
	s := m.Socket.Held
	t.lives = append(t.lives, difference{off: s.Until})
	latest := m.Trigger.Add(s.Until)
	earliest := latest.Add(-s.Bound)
	of, err := endsOf(m.Server, m.Peer)
	held, gone := l.released(of, m.Trigger)
	switch {
	case err == nil && m.Socket.Observed && held.IsZero() && !l.looked(accepted(m), earliest):
		t.between++
		return true
	case err != nil || !m.Socket.Observed || gone.IsZero():
		fmt.Fprintf(w, "  %s %s: not compared: finwait saw its socket: %t, ss saw it with a process: %t, and without one later: %t\n",
			m.Kind, m.Peer, m.Socket.Observed, !held.IsZero(), !gone.IsZero())
		return false
	}
	t.widest = max(t.widest, gone.Sub(held))
	outside := latest.Before(held) || earliest.After(gone)
	if s.Censored { // finwait looked on until the process was killed
		outside = gone.Before(latest)
	}
	if outside || gone.Sub(held) > ssLate {
		why := ": on a busy machine ss is too slow to tell"
		if outside {
			why = ""
		}
		fmt.Fprintf(w, "  %s %s: finwait %s to %s, ss %s to %s%s\n", m.Kind, m.Peer, earliest.Sub(m.Trigger), s.Until, held.Sub(m.Trigger), gone.Sub(m.Trigger), why)
		return false
	}
	t.agree++
	return true
}
