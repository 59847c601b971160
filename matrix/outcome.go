package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// Format and Version identify the JSON form of a matrix, whose schema is
// docs/matrix.schema.json. Within a version, fields are only added.
const (
	Format  = "finwait-matrix"
	Version = 1
)

// Matrix compares targets. All durations are in seconds.
type Matrix struct {
	Format    string          `json:"format"`
	Version   int             `json:"version"`
	Host      string          `json:"host"`
	Catalogue string          `json:"catalogue"` // changes with the scenarios, their scripts and rules
	Profile   reports.Profile `json:"profile"`
	Runs      int             `json:"runs"` // how often the catalogue was run on each target
	Targets   []*Outcome      `json:"targets"`
}

// Outcome holds the results of the runs on one target. The figures are from the first run.
type Outcome struct {
	Name         string    `json:"name"`
	Language     string    `json:"language"`
	Library      string    `json:"library"`
	LibVersion   string    `json:"libraryVersion"`
	Source       string    `json:"source"`
	Notes        string    `json:"notes"`
	Shutdown     string    `json:"shutdown,omitempty"`     // what its application does when it is asked to stop
	Only         []string  `json:"only,omitempty"`         // patterns of the scenarios that the target is for
	CloseTimeout float64   `json:"closeTimeout,omitempty"` // 0: the target declares none
	PingInterval float64   `json:"pingInterval,omitempty"`
	Conventions  string    `json:"conventions,omitempty"` // what the close event reports, and where that is documented
	Inputs       string    `json:"inputs,omitempty"`      // a hash of what the target declares and of its files
	At           time.Time `json:"at"`
	Error        string    `json:"error,omitempty"` // why the target could not be measured
	Has          []string  `json:"has,omitempty"`
	Broken       []string  `json:"broken,omitempty"` // commands that its description claims and that do not work
	Took         float64   `json:"took,omitempty"`   // duration of the first run
	Cells        []*Cell   `json:"scenarios,omitempty"`

	First *reports.Report `json:"-"` // the report of the first run; nil: the target was measured earlier
}

// Cell is one scenario on one target.
type Cell struct {
	ID       string            `json:"id"`
	Verdict  string            `json:"verdict"`
	Others   []string          `json:"others,omitempty"` // verdicts of later runs that differ
	Race     string            `json:"race,omitempty"`   // why the verdicts may differ
	Missing  []string          `json:"missing,omitempty"`
	Error    string            `json:"error,omitempty"`
	Wire     *reports.Close    `json:"wireClose"`        // the server's first Close frame; null: none came
	Event    *reports.AppEvent `json:"event,omitempty"`  // the application's first close event
	Events   int               `json:"events,omitempty"` // how many close events the application had
	Ending   string            `json:"ending,omitempty"` // how TCP ended on the wire
	EndedAt  float64           `json:"endedAt,omitempty"`
	Held     *reports.Survival `json:"held,omitempty"` // how long the server process held its socket
	By       string            `json:"by,omitempty"`   // the witness that told it, as in [reports.Socket]
	Disagree []string          `json:"disagreements,omitempty"`
	Breaches []Breach          `json:"breaches,omitempty"`
	Measured []string          `json:"measured,omitempty"`
	Unseen   []Unseen          `json:"unmeasured,omitempty"` // rules that the scenario asks and that could not be measured
	Exit     *reports.Exit     `json:"exit,omitempty"`
	Curves   []reports.Curve   `json:"curves,omitempty"` // a survival curve for each kind of peer in a crowd
}

// Unseen is a rule that could not be measured, although the scenario exists for it.
type Unseen struct {
	Rule    string `json:"rule"`
	Missing string `json:"missing"`
	Why     string `json:"why"`
}

// Scenario is the part of a scenario's report that the cell contains: its verdict, what was seen,
// and the rules that were broken or could not be measured.
func (c *Cell) Scenario() *reports.Scenario {
	s := &reports.Scenario{ID: c.ID, Verdict: c.Verdict, Error: c.Error, Missing: c.Missing, Exit: c.Exit, Curves: c.Curves}
	for _, b := range c.Breaches {
		s.Findings = append(s.Findings, b.Finding())
	}
	for _, u := range c.Unseen {
		s.Asks = append(s.Asks, u.Rule)
		s.Findings = append(s.Findings, reports.Finding{
			Rule: u.Rule, Outcome: string(rules.Unmeasured), Missing: u.Missing, Got: u.Why,
		})
	}
	return s
}

// Breach is a rule that the target broke.
type Breach struct {
	Rule    string `json:"rule"`
	Grade   string `json:"grade"`
	Weight  string `json:"weight,omitempty"` // as in [reports.Finding]
	Want    string `json:"want"`
	Got     string `json:"got"`
	Because string `json:"because,omitempty"` // the reason, from the library's source or documentation
}

// Finding converts the breach to the finding of a report.
func (b Breach) Finding() reports.Finding {
	return reports.Finding{Rule: b.Rule, Grade: b.Grade, Weight: b.Weight, Outcome: string(rules.Breached), Want: b.Want, Got: b.Got}
}

// New returns a matrix without targets.
func New(list []*harness.Scenario, p rules.Profile, runs int) *Matrix {
	return &Matrix{Format: Format, Version: Version, Host: host(), Catalogue: Fingerprint(list), Profile: reports.NewProfile(p), Runs: runs}
}

// Read reads a matrix that [Matrix.JSON] wrote.
func Read(r io.Reader) (*Matrix, error) {
	var out Matrix
	d := json.NewDecoder(r)
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("read a matrix: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read a matrix: more follows behind it: give each matrix a file of its own")
	}
	if out.Format != Format || out.Version != Version {
		return nil, fmt.Errorf("read a matrix: format %+.40q, version %d is not %q, version %d", out.Format, out.Version, Format, Version)
	}
	for i, o := range out.Targets {
		if o == nil || slices.Contains(o.Cells, nil) {
			return nil, fmt.Errorf("read a matrix: target %d is null, or one of its scenarios", i+1)
		}
	}
	return &out, nil
}

// JSON writes the matrix.
func (m *Matrix) JSON(w io.Writer) error {
	return reports.NewJSON(w).Encode(m)
}

// Comparable returns before if it has the same host, catalogue, limits and number of runs as
// m, and otherwise nil.
func (m *Matrix) Comparable(before *Matrix) *Matrix {
	if before == nil || before.Host != m.Host || before.Catalogue != m.Catalogue || !before.Profile.Equal(m.Profile) ||
		before.Runs != m.Runs {
		return nil
	}
	return before
}

// known returns the target's outcome in an earlier matrix, or nil if the matrix cannot be
// compared or the target has changed. The explanations are those of the present description.
func (m *Matrix) known(before *Matrix, t *Target) *Outcome {
	if before = m.Comparable(before); before == nil {
		return nil
	}
	now := newOutcome(t)
	for _, was := range before.Targets {
		if was.Name != now.Name || was.Inputs != now.Inputs || was.Conventions != now.Conventions || was.Error != "" {
			continue
		}
		now.At, now.Has, now.Broken, now.Took, now.Cells = was.At, was.Has, was.Broken, was.Took, was.Cells
		now.explain(t)
		return now
	}
	return nil
}

func newOutcome(t *Target) *Outcome {
	out := &Outcome{
		Name: t.Name, Language: t.Language, Library: t.Library, LibVersion: t.Version, Source: t.Source, Notes: t.Notes,
		Shutdown: t.Shutdown, Only: t.Only,
		CloseTimeout: t.CloseTimeout.Seconds(), PingInterval: t.PingInterval.Seconds(), Inputs: t.inputs(),
		At: time.Now().UTC().Truncate(time.Second),
	}
	p, _ := t.profile(rules.Profile{}) // checked by Load
	for _, c := range []struct {
		text string
		own  rules.Convention
	}{{"a Close without a code may be reported as %s", p.NoCode}, {"TCP gone without a Close may be reported as %s", p.LostCode}} {
		if c.own.Declared {
			out.Conventions += fmt.Sprintf(c.text, c.own) + "; "
		}
	}
	if p.KillUntold {
		out.Conventions += "the application's own hard kill may not be reported at all; "
	}
	out.Conventions += t.Conventions.Source
	return out
}

// fill copies the results of the first run.
func (o *Outcome) fill(t *Target, list []*harness.Scenario, run *reports.Report) {
	o.First, o.Has, o.Took = run, run.Has, run.Took
	for _, command := range strings.Fields(t.Commands) {
		capability := evidence.Capability("finwait:" + command)
		if command == "open" {
			capability = evidence.CanOpen
		}
		tried := slices.ContainsFunc(list, func(s *harness.Scenario) bool { return slices.Contains(s.Needs, capability) })
		if tried && !slices.Contains(run.Has, string(capability)) {
			o.Broken = append(o.Broken, command)
		}
	}
	for _, s := range run.Scenarios {
		c := &Cell{ID: s.ID, Verdict: s.Verdict, Missing: s.Missing, Error: s.Error, Events: len(s.Events)}
		if s.Exit != nil {
			exit := *s.Exit
			exit.Output = "" // the output is in the report of the run
			c.Exit, c.Curves = &exit, s.Curves
		}
		if s.Wire != nil {
			c.Ending, c.EndedAt = s.Wire.Ending, s.Wire.EndedAt
			if len(s.Wire.Closes) > 0 {
				c.Wire = &s.Wire.Closes[0]
			}
		}
		if len(s.Events) > 0 {
			c.Event = &s.Events[0]
		}
		if s.Socket != nil && s.Socket.Observed {
			c.Held, c.By, c.Disagree = s.Socket.Held, s.Socket.By, s.Socket.Disagreements()
		}
		for _, f := range s.Findings {
			switch rules.Outcome(f.Outcome) {
			case rules.Breached:
				c.Breaches = append(c.Breaches, Breach{Rule: f.Rule, Grade: f.Grade, Weight: f.Weight, Want: f.Want, Got: f.Got})
			case rules.Measured:
				c.Measured = append(c.Measured, f.Got)
			}
		}
		for _, f := range s.Unmeasured() {
			c.Unseen = append(c.Unseen, Unseen{f.Rule, f.Missing, f.Got})
		}
		o.Cells = append(o.Cells, c)
	}
	o.explain(t)
}

// explain adds the reasons from the target's description.
func (o *Outcome) explain(t *Target) {
	for _, c := range o.Cells {
		c.Race = t.Races[c.ID]
		for i, b := range c.Breaches {
			c.Breaches[i].Because = t.because(c.ID, b.Rule)
		}
	}
}

// compare records the verdicts of a later run that differ from the first run.
func (o *Outcome) compare(run *reports.Report) {
	for i, s := range run.Scenarios {
		if c := o.Cells[i]; c.Verdict != s.Verdict {
			c.Others = append(c.Others, s.Verdict)
		}
	}
}

// Count counts the verdicts.
func (o *Outcome) Count() map[string]int {
	out := map[string]int{}
	for _, c := range o.Cells {
		out[c.Verdict]++
	}
	return out
}

// Problems returns a line for each result that a reader cannot rely on: a target that could
// not be measured, a command that does not work, a scenario that was not carried out, a
// verdict that differs between runs without a reason, witnesses that disagree, and a failure
// without an explanation.
func (o *Outcome) Problems() []string {
	if o.Error != "" {
		return []string{o.Name + ": not measured: " + o.Error}
	}
	var out []string
	for _, command := range o.Broken {
		out = append(out, fmt.Sprintf("%s: its description names the command %s, which does not work", o.Name, command))
	}
	for _, c := range o.Cells {
		if len(c.Others) > 0 && (c.Race == "" || slices.Contains(c.Others, reports.Errored)) {
			out = append(out, fmt.Sprintf("%s: %s is not steady: %s, then %v", o.Name, c.ID, c.Verdict, c.Others))
		}
		for _, d := range c.Disagree {
			out = append(out, fmt.Sprintf("%s: the witnesses of %s disagree: %s", o.Name, c.ID, d))
		}
		if c.Verdict == reports.Errored {
			out = append(out, fmt.Sprintf("%s: %s was not carried out: %s", o.Name, c.ID, c.Error))
		}
	}
	var unexplained []string
	for _, c := range o.Cells {
		for _, b := range c.Breaches {
			if c.Verdict == reports.Fail && b.Finding().Weighs() == rules.Fails && b.Because == "" &&
				!slices.Contains(unexplained, b.Rule) {
				unexplained = append(unexplained, b.Rule)
				out = append(out, fmt.Sprintf("%s: nothing explains %s, for example in %s: want %s; got %s",
					o.Name, b.Rule, c.ID, b.Want, b.Got))
			}
		}
	}
	return out
}

// Put adds an outcome. It replaces an earlier outcome of the same target.
func (m *Matrix) Put(o *Outcome) {
	m.Targets = append(slices.DeleteFunc(m.Targets, func(was *Outcome) bool { return was.Name == o.Name }), o)
}

// cell returns the cell of a scenario, or nil.
func (o *Outcome) cell(id string) *Cell {
	for _, c := range o.Cells {
		if c.ID == id {
			return c
		}
	}
	return nil
}
