package reports

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/survival"
)

// The verdicts of a scenario in a report.
const (
	Pass    = string(harness.Pass)
	Fail    = string(harness.Fail)
	Warn    = string(harness.Warn)
	Info    = string(harness.Info)
	Skip    = string(harness.Skip)
	Errored = string(harness.Errored)
	Known   = string(harness.Known)
)

// New makes the model of a run. Only New and [NewScenario] read what the harness
// measured: every report is made from the model, so it says the same when the model
// was read from a JSON report.
func New(run *harness.Run) *Report {
	out := &Report{
		Format: Format, Version: Version, Target: run.Target, Started: utc(run.Started), Took: sec(run.Took),
		Profile: NewProfile(run.Profile),
		Has:     []string{}, Notes: append([]string{}, run.Notes...), Stopped: run.Stopped, Output: Printable(run.Output),
		Totals: map[string]int{}, Scenarios: []Scenario{},
	}
	for c, has := range run.Has {
		if has {
			out.Has = append(out.Has, string(c))
		}
	}
	slices.Sort(out.Has)
	for verdict, n := range run.Count() {
		out.Totals[string(verdict)] = n
	}
	for _, r := range run.Results {
		out.Scenarios = append(out.Scenarios, *NewScenario(r))
	}
	escapeInvalidUTF8(out)
	return out
}

// NewScenario makes the model of one result, which may be shown before the run ends.
func NewScenario(r *harness.Result) *Scenario {
	out := &Scenario{
		ID: r.Scenario.ID, Family: r.Scenario.Family(), Title: r.Scenario.Title, Stops: r.Scenario.Stops, Alone: r.Scenario.Alone,
		Asks:    slices.Clone(r.Scenario.Asks),
		Verdict: string(r.Verdict), Error: r.Err, Script: strings.Split(r.Scenario.Script.String(), "\n"),
		Started: utc(r.Started), Took: sec(r.Took), Findings: []Finding{},
	}
	for _, c := range r.Missing {
		out.Missing = append(out.Missing, string(c))
	}
	for _, f := range r.Findings {
		one := Finding{
			Rule: f.Rule.ID, Req: f.Rule.Req, Grade: string(f.Rule.Grade), Clause: f.Rule.Clause, Text: f.Rule.Text,
			Weight: string(f.Weight), Outcome: string(f.Outcome), Want: f.Want, Got: f.Got, Missing: string(f.Missing),
		}
		switch {
		case f.Excused():
			one.Excused = f.Known.String()
		case f.Lapsed:
			one.Lapsed = fmt.Sprintf("%s (%s)", f.Known.Until.Format(time.DateOnly), f.Known.Reason)
		}
		out.Findings = append(out.Findings, one)
	}
	out.Known = out.knownFailures()
	if r.Plays != nil {
		out.Repeated = &Repeats{Curve: repeatedCurve(r)}
		for _, p := range r.Plays {
			out.Repeated.Verdicts = append(out.Repeated.Verdicts, string(p.Verdict))
		}
	}
	if r.Record != nil {
		out.record(r.Record)
		out.Curves = crowdCurves(r)
	}
	escapeInvalidUTF8(out)
	return out
}

// record fills in what was seen.
func (s *Scenario) record(rec *evidence.Record) {
	s.Wire, s.Socket = newWire(rec.Record), newSocket(rec.Socket)
	for _, e := range rec.Events.List {
		if e.Reason != nil {
			e.Reason = new(*e.Reason) // the record keeps its own
		}
		s.Events = append(s.Events, AppEvent(e))
	}
	s.Alive = &Alive{rec.Alive.Tried, rec.Alive.OK, sec(rec.Alive.Took), rec.Alive.Err}
	for _, c := range rec.Crowd {
		m := Member{
			Kind: c.Kind, Status: c.Status, Refused: c.Refused, Connected: secs(c.Connected), Ending: string(c.Ending),
			EndedAt: sec(c.EndedAt),
		}
		if len(c.Closes) > 0 {
			m.Close = &newCloses(c.Closes[:1])[0]
		}
		if c.Socket.Observed {
			m.Held = newSurvival(&c.Socket.Held)
		}
		s.Crowd = append(s.Crowd, m)
	}
	if e := rec.Exit; e != nil && e.Observed {
		s.Exit = newExit(e)
	}
	for _, e := range rec.Trace {
		s.Trace = append(s.Trace, Event{sec(e.At), string(e.Dir), string(e.Kind), e.What})
	}
	s.Elided = rec.Elided
}

func newExit(e *evidence.Exit) *Exit {
	out := &Exit{At: sec(e.At), Killed: e.Killed, Status: e.Status, Words: e.Words, Left: e.Left, Output: Printable(e.Output)}
	if e.Gone > e.At {
		out.Gone = sec(e.Gone)
	}
	return out
}

func newWire(r *peers.Record) *Wire {
	return &Wire{
		Peer: r.Peer, Server: r.Server, Trigger: utc(r.Trigger), Status: r.Status,
		CloseSent: newCloses(r.CloseSent), Closes: newCloses(r.Closes), Messages: len(r.Messages) + r.MoreMessages,
		AfterClose: r.AfterClose,
		Malformed:  slices.Clone(r.Malformed), Ending: string(r.Ending), EndedAt: sec(r.EndedAt),
		FIN: secs(r.FIN), RST: secs(r.RST), CloseNotify: secs(r.CloseNotify), PeerFIN: secs(r.PeerFIN), PeerRST: secs(r.PeerRST),
		Dark: secs(r.Dark), Dropped: r.Dropped, BytesRead: r.BytesRead, Stopped: sec(r.Stopped),
		Connected: secs(r.Connected), GaveUp: r.GaveUp,
	}
}

func newCloses(list []peers.Close) []Close {
	out := []Close{}
	for _, c := range list {
		one := Close{At: sec(c.At), Reason: OneLine(c.Reason()), Body: hex.EncodeToString(c.Body)}
		if code, ok := c.Code(); ok {
			one.Code = &code
		}
		out = append(out, one)
	}
	return out
}

func newSurvival(s *evidence.Survival) *Survival {
	if s == nil {
		return nil
	}
	return &Survival{sec(s.Until), sec(s.Bound), s.Censored}
}

// utc is a moment as JSON holds it: without the reading of the monotonic clock.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }

// sec is a duration as JSON holds it: in seconds, to the microsecond.
func sec(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

func secs(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(sec(*d))
}

// crowdCurves estimates the survival of a crowd's sockets for each kind of peer, in
// the order of the scenario; over all plays of one that was repeated.
func crowdCurves(r *harness.Result) []Curve {
	plays := r.Plays
	if plays == nil {
		plays = []*harness.Result{r}
	}
	var seen observations
	for _, p := range plays {
		if rec := p.Record; rec != nil && rec.Err == "" { // what was not carried out has no figures
			for _, c := range rec.Crowd {
				if c.Kind != "" && !c.Refused && (c.Kind != evidence.Connecting || c.Connected != nil) {
					seen.add(c.Kind, !c.Socket.Observed, observation(c), bound(c))
				}
			}
		}
	}
	return seen.curves()
}

// repeatedCurve estimates how long the server's socket, or where it was not observed
// TCP on the wire, survived in the plays of a scenario that was repeated; nil
// where it was not, or has a crowd, which has [crowdCurves].
func repeatedCurve(r *harness.Result) *Curve {
	var seen observations
	for _, p := range r.Plays {
		if rec := p.Record; rec != nil && rec.Triggered && len(rec.Crowd) == 0 {
			seen.add(r.Scenario.ID, !rec.Socket.Observed, observation(rec), bound(rec))
		}
	}
	if len(seen.kinds) == 0 {
		return nil
	}
	return &seen.curves()[0]
}

// observation is how long the server's socket was held, or TCP was open, since the
// trigger or, where the peer came later, since it was connected.
func observation(rec *evidence.Record) survival.Observation {
	opened := rec.Opened()
	if held := rec.Socket.Held; rec.Socket.Observed {
		until, bound := held.Until-opened, bound(rec)
		return survival.Observation{Time: until.Seconds(), Interval: bound > 0, After: (until - bound).Seconds(), Censored: held.Censored}
	}
	return survival.Observation{Time: (rec.EndedAt - opened).Seconds(), Censored: rec.Ending == peers.Open || rec.Ending == peers.Unseen}
}

// bound is how much earlier the server's process may have let go of the socket, not
// before the trigger.
func bound(rec *evidence.Record) time.Duration {
	if held := rec.Socket.Held; rec.Socket.Observed && !held.Censored {
		return min(held.Bound, max(held.Until-rec.Opened(), 0))
	}
	return 0
}
