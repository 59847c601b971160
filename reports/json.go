package reports

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// JSON writes the run as a [Report].
func JSON(w io.Writer, run *harness.Run) error {
	return NewJSON(w).Encode(New(run))
}

// ReadJSON reads a report that [JSON] wrote.
func ReadJSON(r io.Reader) (*Report, error) {
	var out Report
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		return nil, fmt.Errorf("read a finwait report: %w", err)
	}
	if out.Format != Format || out.Version != Version {
		return nil, fmt.Errorf("read a finwait report: format %q, version %d is not %q, version %d", Clip(out.Format, 40), out.Version, Format, Version)
	}
	return &out, nil
}

// New is the run as a report.
func New(run *harness.Run) *Report {
	out := &Report{
		Format: Format, Version: Version, Target: run.Target, Started: run.Started.UTC(), Took: sec(run.Took),
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
		out.Scenarios = append(out.Scenarios, scenario(r))
	}
	return out
}

func scenario(r *harness.Result) Scenario {
	out := Scenario{
		ID: r.Scenario.ID, Family: r.Scenario.Family(), Title: r.Scenario.Title, Verdict: string(r.Verdict),
		Error: r.Err, Script: strings.Split(r.Scenario.Script.String(), "\n"),
		Started: r.Started.UTC(), Took: sec(r.Took), Findings: []Finding{},
	}
	for _, c := range r.Missing {
		out.Missing = append(out.Missing, string(c))
	}
	out.Known = excuses(r)
	for _, f := range r.Findings {
		one := Finding{f.Rule.ID, f.Rule.Req, string(f.Rule.Grade), f.Rule.Clause, f.Rule.Text,
			string(f.Weight), string(f.Outcome), f.Want, f.Got, string(f.Missing), ""}
		if f.Excused() {
			one.Excused = f.Known.String()
		}
		out.Findings = append(out.Findings, one)
	}
	if r.Plays != nil {
		out.Repeated = &Repeats{}
		for _, p := range r.Plays {
			out.Repeated.Verdicts = append(out.Repeated.Verdicts, string(p.Verdict))
		}
		if k := Repeated(r); k != nil {
			c := k.data()
			out.Repeated.Curve = &c
		}
	}
	rec := r.Record
	if rec == nil {
		return out
	}
	out.Wire, out.Socket = wire(rec.Record), socket(rec.Socket)
	for _, e := range rec.Events.List {
		out.Events = append(out.Events, AppEvent(e))
	}
	out.Alive = &Alive{rec.Alive.Tried, rec.Alive.OK, sec(rec.Alive.Took), rec.Alive.Err}
	for _, c := range rec.Crowd {
		m := Member{Kind: c.Kind, Status: c.Status, Refused: c.Refused, Ending: string(c.Ending), EndedAt: sec(c.EndedAt)}
		if len(c.Closes) > 0 {
			m.Close = &closes(c.Closes[:1])[0]
		}
		if c.Socket.Observed {
			m.Held = socket(c.Socket).Held
		}
		out.Crowd = append(out.Crowd, m)
	}
	if e := rec.Exit; e != nil && e.Observed {
		out.Exit = exit(e)
	}
	for _, k := range Curves(r) {
		out.Curves = append(out.Curves, k.data())
	}
	for _, e := range rec.Trace {
		out.Trace = append(out.Trace, Event{sec(e.At), string(e.Dir), string(e.Kind), e.What})
	}
	out.Elided = rec.Elided
	return out
}

func exit(e *evidence.Exit) *Exit {
	out := &Exit{At: sec(e.At), Killed: e.Killed, Status: e.Status, Words: e.Words, Left: e.Left, Output: Printable(e.Output)}
	if e.Gone > e.At {
		out.Gone = sec(e.Gone)
	}
	return out
}

func wire(r *peers.Record) *Wire {
	return &Wire{
		Peer: r.Peer, Server: r.Server, Trigger: r.Trigger.UTC(), Status: r.Status,
		CloseSent: closes(r.CloseSent), Closes: closes(r.Closes), Messages: len(r.Messages) + r.MoreMessages, AfterClose: r.AfterClose,
		Malformed: r.Malformed, Ending: string(r.Ending), EndedAt: sec(r.EndedAt),
		FIN: secs(r.FIN), RST: secs(r.RST), CloseNotify: secs(r.CloseNotify), PeerFIN: secs(r.PeerFIN), PeerRST: secs(r.PeerRST),
		Dark: secs(r.Dark), Dropped: r.Dropped, BytesRead: r.BytesRead, Stopped: sec(r.Stopped), Connected: secs(r.Connected), GaveUp: r.GaveUp,
	}
}

func closes(list []peers.Close) []Close {
	out := []Close{}
	for _, c := range list {
		j := Close{At: sec(c.At), Reason: OneLine(c.Reason()), Body: hex.EncodeToString(c.Body)}
		if code, ok := c.Code(); ok {
			j.Code = &code
		}
		out = append(out, j)
	}
	return out
}

func socket(s evidence.Socket) *Socket {
	out := &Socket{Observed: s.Observed, Why: s.Why, TimeWait: s.TimeWait, State: s.State, Lost: s.Lost}
	if s.Observed {
		out.Held = survivalOf(&s.Held)
	}
	out.Orphan = survivalOf(s.Orphan)
	for _, st := range s.States {
		out.States = append(out.States, State{sec(st.At), st.Name, st.Held})
	}
	return out
}

func survivalOf(s *evidence.Survival) *Survival {
	if s == nil {
		return nil
	}
	return &Survival{sec(s.Until), sec(s.Bound), s.Censored}
}

func sec(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

func secs(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := sec(*d)
	return &s
}
