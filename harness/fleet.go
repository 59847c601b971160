package harness

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/servers"
)

// serversAtOnce is how many servers of single plays run at the same time: one play of
// each scenario is never held up.
func serversAtOnce(scenarios int) int { return max(scenarios, 8, 2*runtime.NumCPU()) }

// fleet is the servers that finwait starts: one that scenarios share, and one for
// each play of a scenario that disturbs others or stops it. Where the target runs
// already, it is empty.
type fleet struct {
	target   *servers.Target // as it was given
	commands *process.Commands
	shared   *servers.Server     // nil: the target runs already
	own      map[string][]*place // by scenario id, one for each play

	running  chan struct{} // bounds how many servers of single plays run at the same time
	starting chan struct{} // bounds how many of them start
	notes    []string
}

// place is a server that one play of a scenario has for itself.
type place struct {
	once   sync.Once
	server *servers.Server
	err    error // it could not be started
}

// startFleet starts the target's processes, where it has any. As many servers as
// there is room for are ready before anything is measured; the others start when
// earlier plays have ended. Where few plays run at the same time, each starts its own.
func startFleet(ctx context.Context, t *servers.Target, commands *process.Commands, scenarios []*Scenario, o Options) (f *fleet, err error) {
	f = &fleet{target: t, commands: commands, own: map[string][]*place{}}
	if t.Process == nil {
		return f, nil
	}
	if f.shared, err = servers.Start(ctx, t, commands); err != nil {
		return nil, err
	}
	var places []*place // in the order of the plays
	for range o.Repeat {
		for _, s := range scenarios {
			if s.ownsServer() {
				places = append(places, &place{})
				f.own[s.ID] = append(f.own[s.ID], places[len(places)-1])
			}
		}
	}
	most := serversAtOnce(len(places) / o.Repeat)
	f.running, f.starting = make(chan struct{}, most), make(chan struct{}, runtime.NumCPU())
	if len(places) > most && o.AtOnce > most {
		f.notes = append(f.notes, fmt.Sprintf("%d plays need a server of their own: %d of these run at the same time, the others start as they end", len(places), most))
	}
	if o.AtOnce >= o.Repeat*len(scenarios) {
		var starting sync.WaitGroup
		for _, p := range places[:min(len(places), most)] {
			starting.Go(func() { _, _ = f.start(ctx, p) }) // the play tells of an error
		}
		starting.Wait()
	}
	return f, nil
}

// sharedTarget is the target as scenarios that share a server reach it.
func (f *fleet) sharedTarget() *servers.Target {
	if f.shared == nil {
		return f.target
	}
	return f.shared.Target(f.target)
}

// has tells whether each play of the scenario has a server of its own.
func (f *fleet) has(s *Scenario) bool { return f.own[s.ID] != nil }

// place is the server of the n-th play of a scenario; nil: it has none of its own.
func (f *fleet) place(s *Scenario, n int) *place {
	if places := f.own[s.ID]; places != nil {
		return places[n]
	}
	return nil
}

// start starts the server, once, when there is room for it. It has the room until leave.
func (f *fleet) start(ctx context.Context, p *place) (*servers.Server, error) {
	p.once.Do(func() {
		select {
		case f.running <- struct{}{}:
		case <-ctx.Done():
			p.err = context.Cause(ctx)
			return
		}
		f.starting <- struct{}{}
		p.server, p.err = servers.Start(ctx, f.target, f.commands)
		<-f.starting
		if p.err != nil {
			<-f.running
		}
	})
	return p.server, p.err
}

// leave ends the server of a play, if it was started, and gives its room to another.
func (f *fleet) leave(p *place) {
	if p != nil && p.server != nil {
		p.server.Kill()
		<-f.running
	}
}

// sharedEnded tells how the server ended that finwait started and the scenarios share;
// nil: it runs, or is another. Its sockets close shortly before its end is told.
func (f *fleet) sharedEnded() error {
	if f.shared == nil {
		return nil
	}
	timer := time.NewTimer(servers.ProbePatience)
	defer timer.Stop()
	select {
	case <-f.shared.Exited():
	case <-timer.C:
		return nil
	}
	_, words := f.shared.Status()
	return fmt.Errorf("the server ended (%s)%s", words, f.shared.LastWords())
}

// end ends all servers, and what the user's commands have left behind; it returns the
// last that the shared server wrote.
func (f *fleet) end() (output string) {
	if f.shared != nil {
		f.shared.Kill()
		output = f.shared.Written()
	}
	for _, places := range f.own {
		for _, p := range places {
			if p.server != nil {
				p.server.Kill()
			}
		}
	}
	f.commands.End()
	return output
}
