package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/survival"
)

// level is that of confidence intervals.
const level = 0.95

// KindCurve is how long the sockets of one kind of peer survived in a crowd.
type KindCurve struct {
	Kind  string
	Wire  bool // the ends of TCP on the wire; else of the server's sockets
	Curve *survival.Curve
	Bound time.Duration // an end may be so much earlier than the curve has it
}

// Curves estimates the survival of a crowd's sockets for each kind of peer, in
// the order of the scenario; over all plays of one that was repeated.
func Curves(r *harness.Result) []KindCurve {
	plays := r.Plays
	if plays == nil {
		plays = []*harness.Result{r}
	}
	var l lives
	for _, p := range plays {
		if rec := p.Record; rec != nil && rec.Err == "" { // what was not carried out has no figures
			for _, c := range rec.Crowd {
				if c.Kind != "" && !c.Refused && (c.Kind != evidence.Connecting || c.Connected != nil) {
					l.add(c.Kind, !c.Socket.Observed, life(c), bound(c))
				}
			}
		}
	}
	return l.curves()
}

// Repeated estimates how long the server's socket, or where it was not observed
// TCP on the wire, survived in the plays of a scenario that was repeated; nil
// where it was not, or has a crowd, which has [Curves].
func Repeated(r *harness.Result) *KindCurve {
	var l lives
	for _, p := range r.Plays {
		if rec := p.Record; rec != nil && rec.Triggered && len(rec.Crowd) == 0 {
			l.add(r.Scenario.ID, !rec.Socket.Observed, life(rec), bound(rec))
		}
	}
	if len(l.kinds) == 0 {
		return nil
	}
	return &l.curves()[0]
}

// life is how long the server's socket was held, or TCP was open, since the trigger
// or, where the peer came later, since it was connected.
func life(rec *evidence.Record) survival.Observation {
	opened := rec.Opened()
	if held := rec.Socket.Held; rec.Socket.Observed {
		return survival.Observation{Time: (held.Until - opened).Seconds(), Censored: held.Censored}
	}
	return survival.Observation{Time: (rec.EndedAt - opened).Seconds(), Censored: rec.Ending == peers.Open || rec.Ending == peers.Unseen}
}

// bound is how much earlier the server's socket may have been let go, not
// before the trigger.
func bound(rec *evidence.Record) time.Duration {
	if held := rec.Socket.Held; rec.Socket.Observed && !held.Censored {
		return min(held.Bound, max(held.Until-rec.Opened(), 0))
	}
	return 0
}

// verdicts tells how often each verdict came: "18 pass, 2 fail".
func verdicts(plays []*harness.Result) string {
	n := map[harness.Verdict]int{}
	for _, p := range plays {
		n[p.Verdict]++
	}
	var out []string
	for _, v := range []harness.Verdict{harness.Pass, harness.Fail, harness.Warn, harness.Info, harness.Skip, harness.Errored, harness.Known} {
		if n[v] > 0 {
			out = append(out, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	return strings.Join(out, ", ")
}

// lives are observations by kind of peer, in the order of the first of each.
type lives struct {
	kinds []string
	wire  map[string]bool
	of    map[string][]survival.Observation
	bound map[string]time.Duration // the largest
}

func (l *lives) add(kind string, wire bool, o survival.Observation, bound time.Duration) {
	if l.of == nil {
		l.of, l.wire, l.bound = map[string][]survival.Observation{}, map[string]bool{}, map[string]time.Duration{}
	}
	if l.of[kind] == nil {
		l.kinds = append(l.kinds, kind)
	}
	l.of[kind], l.wire[kind] = append(l.of[kind], o), l.wire[kind] || wire
	l.bound[kind] = max(l.bound[kind], bound)
}

func (l *lives) curves() (out []KindCurve) {
	for _, kind := range l.kinds {
		out = append(out, KindCurve{kind, l.wire[kind], survival.Estimate(l.of[kind], level), l.bound[kind]})
	}
	return out
}

// Summary is the curve in figures: "50 peers, median 2.00 s (2.00 s to 2.01 s),
// p90 2.01 s".
func (k KindCurve) Summary() string {
	at, low, high := k.Curve.Median()
	p90, _, _ := k.Curve.Quantile(0.9)
	out := fmt.Sprintf("median %s (%s to %s), p90 %s", k.time(at), k.time(low), k.time(high), k.time(p90))
	if k.Curve.Censored > 0 {
		out += fmt.Sprintf(", %d still alive", k.Curve.Censored)
	}
	if k.Bound > time.Millisecond {
		out += ", up to " + figures.Format(k.Bound) + " less"
	}
	return out
}

// time writes a time of the curve; one that was not reached is beyond the last
// that was observed.
func (k KindCurve) time(s float64) string {
	if math.IsInf(s, 1) {
		return "> " + figures.Format(duration(k.Curve.Last))
	}
	return figures.Format(duration(s))
}

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// data is the curve for JSON.
func (k KindCurve) data() Curve {
	c := Curve{Kind: k.Kind, Wire: k.Wire, N: k.Curve.N, Censored: k.Curve.Censored, Last: k.Curve.Last, Bound: sec(k.Bound), Steps: []CurveStep{},
		Level: level, P50: k.quantile(0.5), P90: k.quantile(0.9)}
	for _, s := range k.Curve.Steps {
		c.Steps = append(c.Steps, CurveStep{s.Time, s.AtRisk, s.Deaths, s.Survival, s.Low, s.High})
	}
	return c
}

func (k KindCurve) quantile(q float64) *Quantile {
	at, low, high := k.Curve.Quantile(q)
	reached := func(s float64) *float64 {
		if math.IsInf(s, 1) {
			return nil
		}
		return &s
	}
	return &Quantile{reached(at), reached(low), reached(high)}
}

// Spark draws the curve in n characters over the time until the end, from full
// to blank.
func (k KindCurve) Spark(n int, end float64) string {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for i := range n {
		alive := k.Curve.At(end * float64(i) / float64(n))
		b.WriteRune(blocks[int(math.Ceil(alive*float64(len(blocks)-1)))])
	}
	return b.String()
}
