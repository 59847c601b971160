package reports

import (
	"math"

	"github.com/finwait/finwait/peers"
)

// lifetime is how long a connection or a socket of a scenario lasted.
type lifetime struct {
	measure
	Survival
}

// measure says what lasted, and how its end was seen. Two lifetimes compare where both
// are of the same measure.
type measure struct {
	what string // as in [Change]
	of   string // the peers of a crowd, or plays, in words; else empty
	how  string // "held": the server's socket by its process; "TCP open": on the wire
}

// String is the lifetime in words: "the longest of polite held 2.00 s".
func (l lifetime) String() string {
	switch {
	case l.how == "held":
		return l.of + l.Held()
	case l.Interval():
		return l.of + "TCP ended " + l.Survival.String()
	}
	return l.of + l.how + " " + l.Survival.String()
}

// lifetimes are those of a scenario: of the peer's connection, the longest of
// each kind of peer of its crowd, and the median of what was repeated.
func (s *Scenario) lifetimes() (out []lifetime) {
	if s.Wire != nil {
		out = append(out, lifetime{measure{"wire", "", "TCP open"}, onWire(s.Wire.Ending, s.Wire.EndedAt)})
	}
	if s.Held() != nil {
		out = append(out, lifetime{measure{"socket", "", "held"}, *s.Held()})
	}
	at := map[measure]int{} // of the crowd
	for _, m := range s.Crowd {
		l := lifetime{measure{"crowd", "the longest of its crowd ", "TCP open"}, onWire(m.Ending, m.EndedAt)}
		if m.Kind != "" {
			l.of = "the longest of " + m.Kind + " "
		}
		if m.Held != nil {
			l.how, l.Survival = "held", *m.Held
		}
		if i, known := at[l.measure]; !known {
			at[l.measure] = len(out)
			out = append(out, l)
		} else if l.Until > out[i].Until {
			out[i] = l
		}
	}
	if s.Repeated != nil && s.Repeated.Curve != nil {
		l := lifetime{measure{"repeated", "the median of its plays ", "held"}, s.Repeated.Curve.median()}
		if s.Repeated.Curve.Wire {
			l.how = "TCP open"
		}
		out = append(out, l)
	}
	return out
}

// onWire is how long TCP was open as the peer saw it; censored where it saw no end.
func onWire(ending string, at float64) Survival {
	return Survival{Until: at, Censored: ending == string(peers.Open) || ending == string(peers.Unseen)}
}

// median is the time by which half were gone, as the span of its bounds
// and of how much earlier the ends may have been.
func (c Curve) median() Survival {
	at, low, high := c.estimate().Median()
	until := min(high, c.Last)
	return Survival{Until: until, Bound: until - min(low, c.Last) + c.Bound, Censored: math.IsInf(at, 1)}
}

// trend tells whether a lifetime became worse, which is longer, or better. Where they do
// not differ enough, or censoring hides which is longer, it is other.
func (th Threshold) trend(was, is Survival) string {
	slack := max(th.Share*was.Until, th.Least.Seconds())
	switch longer, shorter := is.Until-is.Bound-was.Until, was.Until-was.Bound-is.Until; {
	case longer > slack && !was.Censored:
		return worse
	case shorter > slack && !is.Censored:
		return better
	}
	return other
}
