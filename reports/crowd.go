package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/survival"
)

// CrowdFormat names the JSON report of a crowd; docs/crowd.schema.json is its
// schema. A version only gains fields.
const CrowdFormat = "finwait-crowd"

// Crowd is the report of a crowd. Durations are seconds, since the trigger where
// nothing else is said.
type Crowd struct {
	Format   string         `json:"format"`
	Version  int            `json:"version"`
	Target   string         `json:"target"`
	Started  time.Time      `json:"started"`
	Took     float64        `json:"took"`
	Then     string         `json:"then"`
	Opened   int            `json:"opened"`
	Opening  float64        `json:"opening"` // how long it took to open them
	Failures map[string]int `json:"failures"`
	Lost     int            `json:"lost"`     // ended by the server before the trigger
	Observed bool           `json:"observed"` // the server's sockets were; else curves are of the wire
	Patience float64        `json:"patience"`
	Kinds    []CrowdKind    `json:"kinds"`
	Exit     *Exit          `json:"exit,omitempty"`
	Output   string         `json:"output,omitempty"`
	Notes    []string       `json:"notes"`
	Stopped  string         `json:"stopped,omitempty"`
}

// CrowdKind is what became of the peers of one kind.
type CrowdKind struct {
	Kind    string         `json:"kind"`
	Peers   int            `json:"peers"`
	Told    map[string]int `json:"told"`    // by close code; "none": a Close without a code, "-": no Close
	Endings map[string]int `json:"endings"` // of TCP, as the peers saw them
	Bound   float64        `json:"bound"`   // a socket was let go at most so long before the time of its curve
	Curve   Curve          `json:"curve"`
}

// NewCrowd is the run as a report.
func NewCrowd(run *crowds.Run) *Crowd {
	out := &Crowd{
		Format: CrowdFormat, Version: 1, Target: run.Target, Started: run.Started.UTC(), Took: sec(run.Took), Then: string(run.Then),
		Opening: sec(run.Opening), Failures: map[string]int{}, Observed: run.Observed, Patience: sec(run.Patience),
		Kinds: []CrowdKind{}, Output: Printable(run.Output), Notes: append([]string{}, run.Notes...), Stopped: run.Stopped,
	}
	if run.Exit != nil {
		out.Exit = exit(run.Exit)
	}
	var l lives
	kinds := map[string]*CrowdKind{}
	for i := range run.Members {
		m := &run.Members[i]
		switch {
		case m.Err != "":
			out.Failures[OneLine(m.Err)]++
			continue
		case !m.Peer.IsValid(): // its turn did not come
			continue
		}
		out.Opened++
		if m.EndedEarly {
			out.Lost++
			continue
		}
		if m.Trigger == 0 { // it was interrupted before
			continue
		}
		k := kinds[string(m.Kind)]
		if k == nil {
			k = &CrowdKind{Kind: string(m.Kind), Told: map[string]int{}, Endings: map[string]int{}}
			kinds[k.Kind] = k
		}
		k.Peers++
		how, at := m.Ending()
		k.Endings[string(how)]++
		k.Told[told(m)]++
		o := survival.Observation{Time: at.Seconds(), Censored: how == peers.Open || how == peers.Unseen}
		if run.Observed {
			o = survival.Observation{Time: (m.StoppedAt - m.Trigger).Seconds(), Censored: true}
			if m.Released > 0 {
				o = survival.Observation{Time: (m.Released - m.Trigger).Seconds()}
				k.Bound = max(k.Bound, sec(m.Bound))
			}
		}
		l.add(k.Kind, !run.Observed, o, 0) // the kind has the bound
	}
	for _, c := range l.curves() {
		k := kinds[c.Kind]
		k.Curve = c.data()
		out.Kinds = append(out.Kinds, *k)
	}
	slices.SortFunc(out.Kinds, func(a, b CrowdKind) int {
		return slices.Index(peers.Kinds, peers.Kind(a.Kind)) - slices.Index(peers.Kinds, peers.Kind(b.Kind))
	})
	return out
}

func told(m *peers.Member) string {
	switch {
	case m.CloseAt == 0:
		return "-"
	case m.Code < 0:
		return "none"
	}
	return fmt.Sprint(m.Code)
}

// CrowdJSON writes the run as a [Crowd].
func CrowdJSON(w io.Writer, run *crowds.Run) error {
	return NewJSON(w).Encode(NewCrowd(run))
}

// CrowdText writes the run for a terminal.
func CrowdText(w io.Writer, run *crowds.Run, o TerminalOptions) {
	c, t := NewCrowd(run), NewTerminal(w, o)
	t.wrapped("", fmt.Sprintf("opened %d of %d in %s (%.0f a second)", c.Opened, len(run.Members), figures.Format(run.Opening), float64(c.Opened)/max(run.Opening.Seconds(), 1e-6)))
	for _, failure := range slices.Sorted(maps.Keys(c.Failures)) {
		t.wrapped("  ", fmt.Sprintf("%d failed: %s", c.Failures[failure], failure))
	}
	if c.Lost > 0 {
		t.wrapped("  ", fmt.Sprintf("%d were ended by the server before the trigger", c.Lost))
	}
	for _, note := range c.Notes {
		t.wrapped("", note)
	}
	end := 0.0
	for _, k := range c.Kinds {
		end = max(end, k.Curve.Last)
	}
	what := "held by the server's process"
	if !c.Observed {
		what = "TCP open on the wire"
	}
	if len(c.Kinds) > 0 {
		t.line("")
		t.line("share of sockets alive (%s; Kaplan-Meier); the axis ends at %s", what, figures.Format(duration(end)))
	}
	var curves []KindCurve
	for _, k := range c.Kinds {
		curves = append(curves, k.Curve.kind())
	}
	t.draw("  ", curves, end)
	t.line("")
	for _, k := range c.Kinds {
		line := fmt.Sprintf("close %s; TCP %s", counts(k.Told), counts(k.Endings))
		if c.Observed && k.Bound > 0 {
			line += fmt.Sprintf("; let go at most %s earlier than drawn", figures.Format(duration(k.Bound)))
		}
		t.wrapped(fmt.Sprintf("  %-13s ", k.Kind), line)
	}
	if run.Exit != nil {
		t.line("")
		t.line("%s", exitLine(run.Exit))
	}
	if c.Stopped != "" {
		t.line("")
		t.wrapped("", "ended before its time: "+c.Stopped)
	}
}

// Peers counts them in words.
func Peers(n int) string {
	if n == 1 {
		return "1 peer"
	}
	return fmt.Sprintf("%d peers", n)
}

// counts writes how often each came, the most frequent first: "1000 ×50, - ×2".
func counts(n map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return strings.Compare(a, b)
	})
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s ×%d", k, n[k])
	}
	return strings.Join(keys, ", ")
}

// CrowdSVG draws the survival curves of a crowd.
func CrowdSVG(w io.Writer, run *crowds.Run) error {
	c := NewCrowd(run)
	var curves []Curve
	for _, k := range c.Kinds {
		curves = append(curves, k.Curve)
	}
	note := map[crowds.End]string{
		crowds.PeersClose: "each peer closes with 1000, in its way", crowds.ServerKicks: "the application closes all with 4001", crowds.ServerStops: "the server is stopped",
	}[run.Then]
	return SVG(w, Peers(c.Opened)+" of "+OneLine(run.Target), note, curves)
}
