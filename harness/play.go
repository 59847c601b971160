package harness

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/sockets"
)

// play runs the scenario's script, and its crowd at the same time; token gives
// each peer the name of its connection, if any.
func (b *Batch) play(ctx context.Context, s *Scenario, token func() string, rally *peers.Rally) *evidence.Record {
	var members []Crowd
	for _, c := range s.Crowd {
		members = append(members, slices.Repeat([]Crowd{c}, c.Count)...)
	}
	if len(members) > 0 { // a server may not wait long for what the first of them began
		b.gathering.Lock()
		go func() { rally.Gathered(); b.gathering.Unlock() }()
	}
	crowd := make([]*evidence.Record, len(members))
	var running sync.WaitGroup
	for i, member := range members {
		running.Go(func() {
			crowd[i] = b.peer(ctx, member.Script, "", token(), rally)
			crowd[i].Kind = member.Kind
		})
	}
	rec := b.peer(ctx, s.Script, s.Query, token(), rally)
	running.Wait()
	rec.Crowd = crowd
	for _, r := range crowd {
		if r.Err != "" && rec.Err == "" {
			rec.Err = "a peer of the crowd: " + r.Err
		}
	}
	return rec
}

// peer runs one script with the server's socket in sight; token, if any, names
// its connection to the application.
func (b *Batch) peer(ctx context.Context, script peers.Script, query, token string, rally *peers.Rally) *evidence.Record {
	done := b.turn()
	defer done()
	var watch *sockets.Watch
	opt := b.options(0, b.profile.Patience)
	opt.Query, opt.Rally = query, rally
	execs := b.commanded(&opt, token)
	var before evidence.AppEvents // the RST with which the peer gives up
	if token != "" {
		opt.GivingUp = func(ctx context.Context, until time.Time) { before = b.events(ctx, token, until) }
	}
	if token != "" && (b.has[evidence.CanEvents] || opt.Command != nil) {
		opt.Query = strings.TrimPrefix(query+"&finwait="+token, "&")
	}
	opt.Connected = func(peer, server netip.AddrPort) peers.Sight {
		if !b.has[evidence.Local] {
			return peers.Sight{}
		}
		watch = b.observer.Watch(server, peer)
		sight := peers.Sight{Accepted: watch.Accepted(), Gone: watch.Released()}
		if b.profile.Orphans {
			sight.Gone = watch.Freed()
		}
		return sight
	}
	opt.Waiting = done
	opt.Triggered = func() {
		time.AfterFunc(reactions, done)
		if watch != nil {
			watch.Urgent()
		}
	}
	rec := &evidence.Record{Record: peers.Run(ctx, script, opt), Has: b.has, Token: token}
	rec.Refused = execs.refused.Load()
	rec.Socket = b.socket(watch, rec.Record)
	rec.Events = before
	return rec
}

// turn waits for a turn, which ends by done, or after the time for opening.
func (b *Batch) turn() (done func()) {
	b.turns <- struct{}{}
	done = sync.OnceFunc(func() { <-b.turns })
	time.AfterFunc(opening, done)
	return done
}
