package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/figures"
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
	Unopened int            `json:"unopened,omitempty"` // the run was stopped before their turn to be opened came
	Lost     int            `json:"lost"`               // ended by the server before the trigger
	Observed bool           `json:"observed"`           // the server's sockets were; else curves are of the wire
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

// CrowdJSON writes the report of a crowd as JSON.
func CrowdJSON(w io.Writer, c *Crowd) error { return NewJSON(w).Encode(c) }

// Peers is how many were to be opened.
func (c *Crowd) Peers() int {
	n := c.Opened + c.Unopened
	for _, failed := range c.Failures {
		n += failed
	}
	return n
}

// CrowdText writes the report of a crowd for a terminal.
func CrowdText(w io.Writer, c *Crowd, o TerminalOptions) {
	t := NewTerminal(w, o)
	rate := float64(c.Opened) / max(c.Opening, 1e-6)
	t.wrapped("", fmt.Sprintf("opened %d of %d in %s (%.0f a second)", c.Opened, c.Peers(), figures.Format(duration(c.Opening)), rate))
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
		t.line("share of sockets alive (%s; %s); the axis ends at %s", what, estimators(c.curves()...), figures.Format(duration(end)))
	}
	t.draw("  ", c.curves(), end)
	t.legend()
	t.line("")
	for _, k := range c.Kinds {
		line := fmt.Sprintf("close %s; TCP %s", counts(k.Told), counts(k.Endings))
		if c.Observed && k.Bound > 0 && k.Curve.Estimator == "" {
			line += fmt.Sprintf("; ended at most %s earlier than drawn", figures.Format(duration(k.Bound)))
		}
		t.wrapped(fmt.Sprintf("  %-13s ", OneLine(k.Kind)), line)
	}
	if c.Exit != nil {
		t.line("")
		t.line("%s", exitLine(c.Exit))
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
func CrowdSVG(w io.Writer, c *Crowd) error {
	note := map[string]string{
		"close": "each peer closes with 1000, in its way", "kick-all": "the application closes all with 4001",
		"stop": "the server is stopped",
	}[c.Then]
	return SVG(w, Peers(c.Opened)+" of "+OneLine(c.Target), note, c.curves())
}

func (c *Crowd) curves() (out []Curve) {
	for _, k := range c.Kinds {
		out = append(out, k.Curve)
	}
	return out
}
