package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness"
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
	var kinds []string
	lives, wire := map[string][]survival.Observation{}, map[string]bool{}
	for _, c := range rec.Crowd {
		if c.Kind == "" || c.Refused {
			continue
		}
		if !slices.Contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
		o := survival.Observation{Time: c.EndedAt.Seconds(), Censored: c.Ending == "open" || c.Ending == "unseen"}
		if held := c.Socket.Held; c.Socket.Observed {
			o = survival.Observation{Time: held.Until.Seconds(), Censored: held.Censored}
		} else {
			wire[c.Kind] = true
		}
		lives[c.Kind] = append(lives[c.Kind], o)
	}
	var out []KindCurve
	for _, kind := range kinds {
		out = append(out, KindCurve{kind, wire[kind], survival.Estimate(lives[kind], level)})
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
