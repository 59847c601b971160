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

// serversAtOnce returns how many servers of single plays run at the same time. It is enough for
// one play of each scenario.
func serversAtOnce(scenarios int) int { return max(scenarios, 8, 2*runtime.NumCPU()) }

// serverPool holds the servers that finwait starts: one that scenarios share, and one for each
// play of a scenario that disturbs others or stops its server. The pool is empty if the target
// runs already.
type serverPool struct {
	target     *servers.Target // the target of the run; its URL may be a template
	commands   *process.Commands
	shared     *servers.Server         // nil: the target runs already
	byScenario map[string][]*ownServer // by scenario id, one for each play

	running  chan struct{} // bounds how many servers of single plays run at the same time
	starting chan struct{} // bounds how many servers of single plays are being started at the same time
	notes    []string      // for the reader of the results
}

// ownServer is a server that one play of a scenario has for itself.
type ownServer struct {
	once   sync.Once       // starts the server
	server *servers.Server // nil: not started, or that failed
	err    error           // why the server could not be started
}

// startServerPool starts the target's processes, if the target has any. As many servers as may
// run at the same time are ready before anything is measured; the others start when earlier
// plays have ended. If not all plays run at the same time, each starts its own server.
func startServerPool(
	ctx context.Context, t *servers.Target, commands *process.Commands, scenarios []*Scenario, o Options,
) (f *serverPool, err error) {
	f = &serverPool{target: t, commands: commands, byScenario: map[string][]*ownServer{}}
	if t.Process == nil {
		return f, nil
	}
	if f.shared, err = servers.Start(ctx, t, commands); err != nil {
		return nil, err
	}
	var all []*ownServer // in the order of the plays
	for range o.Repeat {
		for _, s := range scenarios {
			if s.needsOwnServer() {
				all = append(all, &ownServer{})
				f.byScenario[s.ID] = append(f.byScenario[s.ID], all[len(all)-1])
			}
		}
	}
	most := serversAtOnce(len(all) / o.Repeat)
	f.running, f.starting = make(chan struct{}, most), make(chan struct{}, runtime.NumCPU())
	if len(all) > most && o.AtOnce > most {
		const note = "%d plays need a server of their own: " +
			"%d of these run at the same time, the others start as they end"
		f.notes = append(f.notes, fmt.Sprintf(note, len(all), most))
	}
	if o.AtOnce >= o.Repeat*len(scenarios) {
		var starting sync.WaitGroup
		for _, own := range all[:min(len(all), most)] {
			starting.Go(func() { _, _ = f.start(ctx, own) }) // the play reports an error
		}
		starting.Wait()
	}
	return f, nil
}

// sharedTarget returns the target with the URL of the shared server.
func (f *serverPool) sharedTarget() *servers.Target {
	if f.shared == nil {
		return f.target
	}
	return f.shared.Target(f.target)
}

// hasOwnServers tells whether each play of the scenario has a server of its own.
func (f *serverPool) hasOwnServers(s *Scenario) bool { return f.byScenario[s.ID] != nil }

// ownServerOf returns the server of the n-th play of a scenario; nil: it has none of its own.
func (f *serverPool) ownServerOf(s *Scenario, n int) *ownServer {
	if own := f.byScenario[s.ID]; own != nil {
		return own[n]
	}
	return nil
}

// start starts the server at the first call. It blocks while as many servers run as may, until
// one is released, and then until the server is ready.
func (f *serverPool) start(ctx context.Context, own *ownServer) (*servers.Server, error) {
	own.once.Do(func() {
		select {
		case f.running <- struct{}{}:
		case <-ctx.Done():
			own.err = context.Cause(ctx)
			return
		}
		f.starting <- struct{}{}
		own.server, own.err = servers.Start(ctx, f.target, f.commands)
		<-f.starting
		if own.err != nil {
			<-f.running
		}
	})
	return own.server, own.err
}

// release kills the server of a play, if it was started, so that another may start.
func (f *serverPool) release(own *ownServer) {
	if own != nil && own.server != nil {
		own.server.Kill()
		<-f.running
	}
}

// sharedExitError says how the shared server exited; nil: it is running, or finwait did not start
// it. It waits a moment, because the sockets of a process close shortly before its exit is seen.
func (f *serverPool) sharedExitError() error {
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
	return fmt.Errorf("the server ended (%s)%s", words, f.shared.FailureLine())
}

// end kills all servers and what the user's commands have left behind, and returns what the
// shared server wrote last.
func (f *serverPool) end() (output string) {
	if f.shared != nil {
		f.shared.Kill()
		output = f.shared.Written()
	}
	for _, plays := range f.byScenario {
		for _, own := range plays {
			if own.server != nil {
				own.server.Kill()
			}
		}
	}
	f.commands.End()
	return output
}
