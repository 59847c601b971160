package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/contract"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/servers"
)

// A witness is a further peer: it plays the script of a scenario at the same time as the peer that
// is judged, and asks once, by a probe on the wire, whether the server's process still holds the
// socket. Each asks at another time, because a probe disturbs what it looks at.

// WitnessMode says who tells how long the server's process holds its sockets.
type WitnessMode string

// The modes.
const (
	WitnessAuto     WitnessMode = ""         // the kernel or an observer, and the wire where neither is there
	WitnessKernel   WitnessMode = "kernel"   // the server's kernel alone
	WitnessProbes   WitnessMode = "probes"   // the wire alone
	WitnessObserver WitnessMode = "observer" // an observer beside the server alone
	WitnessAll      WitnessMode = "all"      // all that are there, so that they can be compared
)

// The defaults of [Options].
const (
	WitnessesDefault      = 8
	MaxConnectionsDefault = 1000
)

// witnessing says which witnesses a run has.
type witnessing struct {
	mode        WitnessMode
	perScenario int
	crew        *crew
}

func newWitnessing(t *servers.Target, scenarios []*Scenario, o Options) witnessing {
	slots := max(0, cmp.Or(o.MaxConnections, MaxConnectionsDefault)-o.AtOnce)
	for slots > 0 && checkCapacityFor(t, scenarios, o, slots) != nil {
		slots /= 2
	}
	return witnessing{mode: o.Witness, perScenario: cmp.Or(o.Witnesses, WitnessesDefault),
		crew: &crew{most: slots, there: map[*context.CancelCauseFunc]bool{}}}
}

// asksTheWire reports whether probes tell how long the server's process holds its sockets.
func (e *endpoint) asksTheWire() bool {
	switch e.mode {
	case WitnessProbes, WitnessAll:
		return true
	case WitnessAuto:
		return e.notObserved != ""
	}
	return false
}

// witnessingNotes say what the reader of the results must know of the witnesses.
func (e *endpoint) witnessingNotes(scenarios []*Scenario, o Options) []string {
	if !e.asksTheWire() {
		return nil
	}
	witnesses := 0
	for _, s := range scenarios {
		switch {
		case len(s.Crowd) > 0 || s.Stops:
			witnesses += len(e.crowdProbes(s))
		case roleOf(s.Script) == byTimetable:
			witnesses += e.perScenario
		case roleOf(s.Script) == beforeFIN:
			witnesses++
		}
	}
	return []string{fmt.Sprintf("how long the server's process holds its sockets is asked on the wire, by further peers: "+
		"%d at most; there are no more than %d connections at the same time", witnesses*o.Repeat, o.AtOnce+e.crew.most)}
}

// errNotNeeded ends a witness whose answer is known already.
var errNotNeeded = errors.New("another witness has told it")

// role is how a scenario can be witnessed. It depends on how the peer ends TCP.
type role int

const (
	unseen      role = iota // nobody can tell: the peer resets, or forgets, the connection
	byItself                // the peer sends FIN first, and the server's FIN is the end
	beforeFIN               // one witness asks before the peer's FIN, which ends all asking
	byTimetable             // the peer keeps its end open, and a survey says when witnesses ask
)

func roleOf(script peers.Script) role {
	switch {
	case hasStep[peers.Reset](script), hasStep[peers.Forget](script):
		return unseen
	case hasStep[peers.HalfClose](script), hasStep[peers.SendLast](script):
		return byItself
	case hasStep[peers.Finish](script), hasStep[peers.CloseSocket](script):
		return beforeFIN
	}
	return byTimetable
}

// hearing is one play of a scenario with its witnesses.
type hearing struct {
	*endpoint
	scenario *Scenario
	role     role
	survey   *survey
	asking   map[time.Duration]context.CancelCauseFunc // ends the witnesses under way, by the time of their probe
	told     chan testimony
}

// testimony is what a witness tells.
type testimony struct {
	at        time.Duration // the time of its probe; 0: before its FIN
	looks     []peers.Look
	notNeeded bool // it was ended before it asked
}

// playWitnessed plays the script of a scenario that has no crowd, and that of its witnesses, at
// the same time. It returns when all are over.
func (e *endpoint) playWitnessed(ctx context.Context, s *Scenario, token string) *evidence.Record {
	played := make(chan *evidence.Record, 1)
	inVain := make(chan struct{}) // closed when the response limit is over
	triggered := sync.OnceFunc(func() { time.AfterFunc(e.profile.ResponseLimit(), func() { close(inVain) }) })
	play := func() *evidence.Record { return e.peer(ctx, s.Script, s.Query, token, nil, triggered) }
	go func() { played <- e.admit(ctx, play) }()
	h := &hearing{
		endpoint: e, scenario: s, role: roleOf(s.Script), survey: newSurvey(s, e.profile, e.perScenario),
		asking: map[time.Duration]context.CancelCauseFunc{}, told: make(chan testimony),
	}
	if h.role == beforeFIN {
		h.send(ctx, peers.Probe{BeforeFIN: true})
	}
	began := time.Now()
	var rec *evidence.Record
	for {
		hopeless := rec != nil && !rec.Triggered // the witnesses fare no better
		if h.role == byTimetable && !hopeless {
			for _, at := range h.survey.next(time.Since(began), len(h.asking)) {
				h.send(ctx, peers.Probe{At: at})
			}
		}
		for at, end := range h.asking {
			if hopeless || at > 0 && !h.survey.needs(at) {
				end(errNotNeeded)
			}
		}
		if rec != nil && len(h.asking) == 0 {
			rec.Socket = withWire(rec.Socket, h.survey.looks, h.role)
			return rec
		}
		select {
		case <-inVain:
			inVain = nil
			if h.role == beforeFIN && rec == nil { // without the server's FIN the peer keeps its end open, too
				h.role = byTimetable
			}
		case rec = <-played:
			h.survey.looks = append(h.survey.looks, rec.Looks()...)
		case t := <-h.told:
			h.asking[t.at](nil)
			delete(h.asking, t.at)
			h.survey.looks = append(h.survey.looks, t.looks...)
			if t.notNeeded {
				h.survey.withdraw()
			}
		}
	}
}

// send begins a witness, whose testimony [hearing.told] receives.
func (h *hearing) send(ctx context.Context, probe peers.Probe) {
	ctx, h.asking[probe.At] = context.WithCancelCause(ctx)
	go func() { h.told <- h.witness(ctx, h.scenario, probe) }()
}

// witness asks, if a connection is left for it.
func (e *endpoint) witness(ctx context.Context, s *Scenario, probe peers.Probe) testimony {
	unknown := func(why string) testimony {
		return testimony{at: probe.At, looks: []peers.Look{{Asked: probe.At, Answered: probe.At, State: peers.Unknown, How: why}}}
	}
	ctx, leave, err := e.crew.join(ctx)
	if err != nil {
		return unknown(err.Error())
	}
	defer leave()
	e.admission.wait(ctx, time.Now().Add(admissionLongest))
	began := time.Now()
	rec := e.ask(ctx, s, probe, nil)
	e.makeRoom(rec, began, began)
	switch why := context.Cause(ctx); {
	case errors.Is(why, errNotNeeded):
		return testimony{at: probe.At, looks: rec.Looks(), notNeeded: true}
	case errors.Is(why, errGaveWay):
		return unknown(why.Error())
	case rec.Err != "":
		return unknown(rec.Err)
	}
	return testimony{at: probe.At, looks: rec.Looks()}
}

// ask plays the script of a scenario once more, with a probe.
func (e *endpoint) ask(ctx context.Context, s *Scenario, probe peers.Probe, barrier *peers.Barrier) *peers.Record {
	done := e.turns.wait()
	defer done()
	opt := e.options(0, e.profile.Patience)
	token := contract.NewToken()
	lines := e.contract.CommandLines(token, nil)
	lines.Into(&opt)
	opt.Query, opt.Probe, opt.Barrier = e.query(s.Query, token, opt.Command != nil), &probe, barrier
	opt.Triggered = func() { time.AfterFunc(reactionTime, done) }
	opt.Waiting = done
	return peers.Run(ctx, s.Script, opt)
}

// crowdProbes are the probes of further members of a scenario's crowd, which play the script of the
// peer that is judged. They have to come with the others, and so are all planned beforehand.
func (e *endpoint) crowdProbes(s *Scenario) (out []peers.Probe) {
	if len(s.Crowd) == 0 || s.Stops || roleOf(s.Script) != byTimetable || !e.asksTheWire() {
		return nil
	}
	v := newSurvey(s, e.profile, e.perScenario)
	for _, at := range append(v.plan(firstLook), v.plan(v.widely(firstLook)...)...) {
		out = append(out, peers.Probe{At: at})
	}
	return out
}

// query is the query of a connection that has a token, which names it to the application. Without
// the contract nobody asks for it, and the query stays the scenario's.
func (e *endpoint) query(query, token string, byCommand bool) string {
	if token == "" || !e.has[evidence.CanEvents] && !byCommand {
		return query
	}
	return strings.TrimPrefix(query+"&finwait="+token, "&")
}

// addWire adds to the socket of a peer what that peer itself saw on the wire, and more looks.
func (e *endpoint) addWire(r *evidence.Record, script peers.Script, more ...peers.Look) {
	if e.asksTheWire() {
		r.Socket = withWire(r.Socket, append(r.Looks(), more...), roleOf(script))
	}
}

// withWire adds what the wire shows to what the server's kernel, or an observer, tells of a socket.
// Where neither tells, the wire's word counts.
func withWire(kernel evidence.Socket, looks []peers.Look, role role) evidence.Socket {
	wire := evidence.Combine(looks)
	switch {
	case kernel.Observed:
		kernel.Others = append(kernel.Others, wire)
		return kernel
	case wire.Observed:
		return wire
	case role == unseen:
		wire.Why = "after the RST of the peer only the server's kernel can tell"
	}
	wire.Why = strings.TrimPrefix(kernel.Why+", and "+wire.Why, ", and ")
	return wire
}
