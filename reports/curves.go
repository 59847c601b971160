package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/finwait/finwait/harness"
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
}

// Curves estimates the survival of a crowd's sockets for each kind of peer, in
// the order of the scenario.
func Curves(rec *harness.Record) []KindCurve {
	if rec == nil {
		return nil
	}
	var l lives
	for _, c := range rec.Crowd {
		if c.Kind == "" || c.Refused {
			continue
		}
		o := survival.Observation{Time: c.EndedAt.Seconds(), Censored: c.Ending == peers.Open || c.Ending == peers.Unseen}
		if held := c.Socket.Held; c.Socket.Observed {
			o = survival.Observation{Time: held.Until.Seconds(), Censored: held.Censored}
		}
		l.add(c.Kind, !c.Socket.Observed, o)
	}
	return l.curves()
}

// lives are observations by kind of peer, in the order of the first of each.
type lives struct {
	kinds []string
	wire  map[string]bool
	of    map[string][]survival.Observation
}

func (l *lives) add(kind string, wire bool, o survival.Observation) {
	if l.of == nil {
		l.of, l.wire = map[string][]survival.Observation{}, map[string]bool{}
	}
	if l.of[kind] == nil {
		l.kinds = append(l.kinds, kind)
	}
	l.of[kind], l.wire[kind] = append(l.of[kind], o), l.wire[kind] || wire
}

func (l *lives) curves() (out []KindCurve) {
	for _, kind := range l.kinds {
		out = append(out, KindCurve{kind, l.wire[kind], survival.Estimate(l.of[kind], level)})
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
	return out
}

// time writes a time of the curve; one that was not reached is beyond the last
// that was observed.
func (k KindCurve) time(s float64) string {
	if math.IsInf(s, 1) {
		return "> " + harness.Format(duration(k.Curve.Last))
	}
	return harness.Format(duration(s))
}

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// data is the curve for JSON.
func (k KindCurve) data() Curve {
	c := Curve{k.Kind, k.Wire, k.Curve.N, k.Curve.Censored, k.Curve.Last, []CurveStep{}}
	for _, s := range k.Curve.Steps {
		c.Steps = append(c.Steps, CurveStep{s.Time, s.AtRisk, s.Deaths, s.Survival, s.Low, s.High})
	}
	return c
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
