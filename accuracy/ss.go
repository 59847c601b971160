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

// maxBetweenRuns is the longest time between two runs of ss that still counts as
// evidence. Each run starts the program and walks all sockets, which takes about 5 ms on
// an idle machine.
const maxBetweenRuns = 250 * time.Millisecond

// sighting is what one run of ss showed of a server's socket.
type sighting struct {
	from, to time.Time // when the run started and ended
	held     bool      // a process held the socket: it had an inode
}

// ssLog runs ss(8) again and again, and keeps the sightings of each socket.
type ssLog struct {
	mu      sync.Mutex
	runs    []sighting // one for each run; held is not set
	sockets map[ends][]sighting
}

// ends are the two addresses of a connection.
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
		return errOverLimit
	}
	return nil
}

// run runs ss until ctx is done, and then once more: a socket that was released just
// before may still be in the run that was in progress.
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
				continue // a listener has no peer
			}
			s.held = strings.Contains(lines.Text(), " ino:") && !strings.Contains(lines.Text(), " ino:0 ")
			l.sockets[of] = append(l.sockets[of], s)
		}
		l.mu.Unlock()
	}
	return nil
}

// released returns when ss last saw the peer's socket with a process (held), and when ss
// first saw it without one after the trigger (gone). held is zero if ss never saw the
// socket with a process. gone is zero if ss saw it with a process until the end. A later
// connection may have the same addresses.
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

// accepted is when finwait first saw that a process held the socket.
func accepted(r *evidence.Record) time.Time {
	i := slices.IndexFunc(r.Socket.States, func(s evidence.State) bool { return s.Held })
	if i < 0 {
		return r.Start
	}
	return r.Trigger.Add(r.Socket.States[i].At)
}

// tally counts the comparisons for one kind of peer.
type tally struct {
	n       int
	agree   int
	between int           // the socket's whole lifetime was between two runs of ss
	lives   []difference  // how long finwait saw the sockets held
	widest  time.Duration // the longest time between two runs of ss around a release
}

func (l *ssLog) compare(w io.Writer, r *harness.Result) bool {
	kinds, order := map[string]*tally{}, []string{}
	good := true
	for _, m := range r.Record.Crowd {
		if m.Kind == "connecting" { // it connected during the stop, and may have had no socket
			continue
		}
		t := kinds[m.Kind]
		if t == nil {
			t = &tally{}
			kinds[m.Kind], order = t, append(order, m.Kind)
		}
		t.n++
		good = l.compareOne(w, t, m) && good
	}
	for _, kind := range order {
		t := kinds[kind]
		good = good && t.agree > 0
		sortDifferences(t.lives)
		fmt.Fprintf(w, "%-26s %-14s %6d %7d %7d %10s %10s\n", r.Scenario.ID,
			kind, t.n, t.agree, t.between, figures.Format(percentile(t.lives, 50)), figures.Format(t.widest))
	}
	return good
}

// compareOne compares the socket of one peer, and prints a disagreement.
func (l *ssLog) compareOne(w io.Writer, t *tally, m *evidence.Record) bool {
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
	if s.Censored { // finwait looked until the process was killed
		outside = gone.Before(latest)
	}
	if outside || gone.Sub(held) > maxBetweenRuns {
		why := ": ss ran too rarely to decide, as on a busy machine"
		if outside {
			why = ""
		}
		fmt.Fprintf(w, "  %s %s: finwait %s to %s, ss %s to %s%s\n",
			m.Kind, m.Peer, earliest.Sub(m.Trigger), s.Until, held.Sub(m.Trigger), gone.Sub(m.Trigger), why)
		return false
	}
	t.agree++
	return true
}
