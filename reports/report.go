package reports

import (
	"encoding/hex"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// Format and Version name the JSON report; docs/report.schema.json is its
// schema. A version only gains fields.
const (
	Format  = "finwait-report"
	Version = 1
)

// Report is the JSON report: everything that was measured. All durations are
// seconds, those of a scenario since its trigger, to the microsecond.
type Report struct {
	Format    string         `json:"format"`
	Version   int            `json:"version"`
	Target    string         `json:"target"`
	Started   time.Time      `json:"started"`
	Took      float64        `json:"took"`
	Profile   Profile        `json:"profile"`
	Has       []string       `json:"has"`
	Notes     []string       `json:"notes"`
	Stopped   string         `json:"stopped,omitempty"`
	Output    string         `json:"output,omitempty"` // the last that the server wrote, where finwait started it
	Totals    map[string]int `json:"totals"`
	Scenarios []Scenario     `json:"scenarios"`

	// Lacks says, in a sentence each, what an earlier finwait did not write and what the
	// rest of the report does not tell either.
	Lacks []string `json:"-"`
}

// count tells how many scenarios have each verdict.
func (r *Report) count() map[string]int {
	n := map[string]int{}
	for i := range r.Scenarios {
		n[r.Scenarios[i].Verdict]++
	}
	return n
}

// Scenario is one scenario's result.
type Scenario struct {
	ID       string     `json:"id"`
	Family   string     `json:"family"`
	Title    string     `json:"title"`
	Stops    bool       `json:"stops,omitempty"` // it stops the server: it has one of its own, or comes last
	Alone    bool       `json:"alone,omitempty"` // it disturbs others: it has a server of its own, where finwait starts one
	Verdict  string     `json:"verdict"`
	Asks     []string   `json:"asks,omitempty"` // the rules that it exists for; an earlier finwait did not write them
	Missing  []string   `json:"missing,omitempty"`
	Error    string     `json:"error,omitempty"`
	Script   []string   `json:"script"`
	Started  time.Time  `json:"started"`
	Took     float64    `json:"took"`
	Findings []Finding  `json:"findings"`
	Wire     *Wire      `json:"wire,omitempty"`
	Events   []AppEvent `json:"events,omitempty"`
	Socket   *Socket    `json:"socket,omitempty"`
	Alive    *Alive     `json:"alive,omitempty"`
	Crowd    []Member   `json:"crowd,omitempty"`
	Exit     *Exit      `json:"exit,omitempty"`
	Curves   []Curve    `json:"curves,omitempty"`
	Repeated *Repeats   `json:"repeated,omitempty"`
	Known    string     `json:"known,omitempty"` // which breaches are excused, or were once, and why
	Trace    []Event    `json:"trace,omitempty"`
	Elided   int        `json:"elided,omitempty"`
}

// Held is how long the server's process held the socket; nil: not observed.
func (s *Scenario) Held() *Survival {
	if s.Socket == nil || !s.Socket.Observed {
		return nil
	}
	return s.Socket.Held
}

// Longest is how long the longest of its server's sockets was held, those of a
// crowd too: since the trigger or, where the peer came later, since it was connected.
// Nil: not observed.
func (s *Scenario) Longest() *Survival {
	var out *Survival
	consider := func(held *Survival, connected *float64) {
		if held == nil {
			return
		}
		own := *held
		if connected != nil {
			own.Until -= max(0, *connected)
		}
		if out == nil || own.Until > out.Until {
			out = &own
		}
	}
	for _, m := range s.Crowd {
		if m.Kind != evidence.Connecting || m.Connected != nil { // earlier reports do not tell when it was connected
			consider(m.Held, m.Connected)
		}
	}
	if held := s.Held(); held != nil {
		consider(held, s.connected())
	}
	return out
}

func (s *Scenario) connected() *float64 {
	if s.Wire == nil {
		return nil
	}
	return s.Wire.Connected
}

// Breach is the first breached rule that made the verdict; nil: none.
func (s *Scenario) Breach() *Finding {
	var warning *Finding
	for i, f := range s.Findings {
		switch weight := f.Weighs(); {
		case weight == rules.Fails:
			return &s.Findings[i]
		case weight == rules.Warns && warning == nil:
			warning = &s.Findings[i]
		}
	}
	return warning
}

// Repeats are the plays of a scenario that was repeated. The other fields of the scenario
// are those of its worst play.
type Repeats struct {
	Verdicts []string `json:"verdicts"`        // of each play
	Curve    *Curve   `json:"curve,omitempty"` // of the server's sockets
}

func (r *Repeats) curves() []Curve {
	if r == nil || r.Curve == nil {
		return nil
	}
	return []Curve{*r.Curve}
}

// Finding is one rule's outcome.
type Finding struct {
	Rule    string `json:"rule"`
	Req     string `json:"req"`
	Grade   string `json:"grade"`
	Clause  string `json:"clause"`
	Text    string `json:"text"`
	Weight  string `json:"weight,omitempty"` // in force; empty in reports that have none: that of the grade
	Outcome string `json:"outcome"`
	Want    string `json:"want,omitempty"`
	Got     string `json:"got"`
	Missing string `json:"missing,omitempty"`
	Excused string `json:"excused,omitempty"` // why the breach does not count: it is known
	Lapsed  string `json:"lapsed,omitempty"`  // until which day the breach did not count, and why: "2027-01-31 (reason)"
}

// Weighs tells what the finding does to its scenario, as [rules.Finding.Weighs].
func (f Finding) Weighs() rules.Weight { return f.judgement().Weighs() }

// Grading is the grade, with the weight where that is not the usual one.
func (f Finding) Grading() string { return f.judgement().Grading() }

// judgement is the finding in the form that package rules weighs.
func (f Finding) judgement() rules.Finding {
	out := rules.Finding{
		Rule: rules.Rule{Grade: rules.Grade(f.Grade)}, Weight: rules.Weight(f.Weight), Outcome: rules.Outcome(f.Outcome),
	}
	if f.Excused != "" {
		out.Known = &rules.KnownFailure{Reason: f.Excused}
	}
	return out
}

// Wire is what the peer saw. A missing time did not happen while it looked.
type Wire struct {
	Peer        string    `json:"peer"`
	Server      string    `json:"server"`
	Trigger     time.Time `json:"trigger"`
	Status      int       `json:"status,omitempty"`
	CloseSent   []Close   `json:"closeSent"`
	Closes      []Close   `json:"closes"`
	Messages    int       `json:"messages"`
	AfterClose  int       `json:"afterClose"`
	Malformed   []string  `json:"malformed,omitempty"`
	Ending      string    `json:"ending"`
	EndedAt     float64   `json:"endedAt"`
	FIN         *float64  `json:"fin,omitempty"`
	RST         *float64  `json:"rst,omitempty"`
	CloseNotify *float64  `json:"closeNotify,omitempty"`
	PeerFIN     *float64  `json:"peerFin,omitempty"`
	PeerRST     *float64  `json:"peerRst,omitempty"`
	Dark        *float64  `json:"dark,omitempty"`
	Dropped     uint32    `json:"dropped,omitempty"`
	BytesRead   uint64    `json:"bytesRead"`
	Stopped     float64   `json:"stopped"`
	Connected   *float64  `json:"connected,omitempty"`
	// finwait reset the connection at Stopped, though the server's socket was, or may have been, still there
	GaveUp bool `json:"gaveUp,omitempty"`
}

// Close is a Close frame. Code is null where the body holds none; Reason is
// escaped where it is not printable UTF-8, Body is its bytes in hexadecimal.
type Close struct {
	At     float64 `json:"at"`
	Code   *int    `json:"code"`
	Reason string  `json:"reason"`
	Body   string  `json:"body"`
}

// String is the frame in a line: close 1000 "bye".
func (c Close) String() string {
	body, err := hex.DecodeString(c.Body)
	if err != nil {
		return "close with a malformed body"
	}
	return peers.Close{Body: body}.String()
}

// AppEvent is a close event of the server's application. A field is null where its library
// does not report it.
type AppEvent struct {
	Code   *int       `json:"code"`
	Reason *string    `json:"reason"`
	Clean  *bool      `json:"clean"`
	At     *time.Time `json:"at"`
	Error  string     `json:"error,omitempty"`
}

// Alive is the probe after the scenario.
type Alive struct {
	Tried bool    `json:"tried"`
	OK    bool    `json:"ok"`
	Took  float64 `json:"took"`
	Error string  `json:"error,omitempty"`
}

// Member is a peer of the scenario's crowd.
type Member struct {
	Kind      string    `json:"kind,omitempty"`
	Close     *Close    `json:"close"` // the server's first Close frame; null: none came
	Status    int       `json:"status,omitempty"`
	Refused   bool      `json:"refused,omitempty"`
	Connected *float64  `json:"connected,omitempty"` // since the trigger
	Ending    string    `json:"ending"`
	EndedAt   float64   `json:"endedAt"`
	Held      *Survival `json:"held,omitempty"`
}

// Exit is the end of the server's process after it was asked to stop.
type Exit struct {
	At     float64 `json:"at"`
	Killed bool    `json:"killed"`
	Status int     `json:"status"`
	Words  string  `json:"words"`
	Gone   float64 `json:"gone,omitempty"` // when also what it had started had ended, where that was later
	Left   bool    `json:"left,omitempty"` // what it had started still ran then
	Output string  `json:"output,omitempty"`
}

// Curve is the estimate of how long the sockets of one kind of peer survived, with its
// bounds of 95 per cent: the Kaplan-Meier estimate or, where an end is known only as an
// interval, Turnbull's. Wire: the ends of TCP as the peers saw them, where the server's
// sockets were not observed.
type Curve struct {
	Kind      string      `json:"kind"`
	Wire      bool        `json:"wire,omitempty"`
	Estimator string      `json:"estimator,omitempty"` // "turnbull"; empty: Kaplan-Meier
	N         int         `json:"n"`
	Censored  int         `json:"censored"`
	Last      float64     `json:"last"`
	Bound     float64     `json:"bound,omitempty"` // an end may be earlier by so much; 0 in Turnbull's, which tells that itself
	Steps     []CurveStep `json:"steps"`
	Level     float64     `json:"level,omitempty"` // the confidence level of all bounds
	P50       *Quantile   `json:"median,omitempty"`
	P90       *Quantile   `json:"p90,omitempty"`
}

// Quantile is the time by which a share of the sockets was gone, with its
// bounds; what was not reached is left out. The share was reached between After, where
// it is not nil, and At.
type Quantile struct {
	After *float64 `json:"after,omitempty"`
	At    *float64 `json:"at,omitempty"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
}

// String tells when and how the process ended.
func (e Exit) String() string {
	if e.Killed {
		return "killed after " + figures.Format(duration(e.At))
	}
	return "after " + figures.Format(duration(e.At)) + ", " + OneLine(e.Words) + e.behind()
}

// behind says what became of the processes that the server had started and that outlived
// it. Empty: there were none.
func (e Exit) behind() string {
	at := figures.Format(duration(e.Gone))
	switch {
	case e.Left:
		return "; what it had started still ran after " + at + ", killed"
	case e.Gone > 0:
		return "; all that it had started was gone after " + at
	}
	return ""
}

// CurveStep is the curve from At on. Where After is not nil, the curve falls at a moment
// between After and At that is not known. Turnbull's estimate counts no AtRisk and no Deaths.
type CurveStep struct {
	After    *float64 `json:"after,omitempty"`
	At       float64  `json:"at"`
	AtRisk   int      `json:"atRisk"`
	Deaths   int      `json:"deaths"`
	Survival float64  `json:"survival"`
	Low      float64  `json:"low"`
	High     float64  `json:"high"`
}

// Event is a line of the trace.
type Event struct {
	At   float64 `json:"at"`
	Dir  string  `json:"dir"`
	Kind string  `json:"kind,omitempty"` // peers.EventKind; empty: the report is older than it
	What string  `json:"what"`           // for people
}
