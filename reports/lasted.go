package reports

import (
	"math"

	"github.com/finwait/finwait/peers"
)

// lasted is how long something of a scenario lasted.
type lasted struct {
	seen
	Survival
}

// seen is what lasted, and how that was seen: two results compare where it is the same.
type seen struct {
	what string // as in [Change]
	whom string // in words, of a crowd or of repetitions; else empty
	how  string // "held": the server's socket by its process; "TCP open": on the wire
}

// String is it in words.
func (l lasted) String() string { return l.whom + l.how + " " + l.Survival.String() }

// lasted are the lifetimes of a scenario: of the peer's connection, the longest of
// each kind of peer of its crowd, and the median of what was repeated.
func (s *Scenario) lasted() (out []lasted) {
	if s.Wire != nil {
		out = append(out, lasted{seen{"wire", "", "TCP open"}, onWire(s.Wire.Ending, s.Wire.EndedAt)})
	}
	if s.Held() != nil {
		out = append(out, lasted{seen{"socket", "", "held"}, *s.Held()})
	}
	at := map[seen]int{} // of the crowd
	for _, m := range s.Crowd {
		l := lasted{seen{"crowd", "the longest of its crowd ", "TCP open"}, onWire(m.Ending, m.EndedAt)}
		if m.Kind != "" {
			l.whom = "the longest of " + m.Kind + " "
		}
		if m.Held != nil {
			l.how, l.Survival = "held", *m.Held
		}
		if i, known := at[l.seen]; !known {
			at[l.seen] = len(out)
			out = append(out, l)
		} else if l.Until > out[i].Until {
			out[i] = l
		}
	}
	if s.Repeated != nil && s.Repeated.Curve != nil {
		l := lasted{seen{"repeated", "the median of its plays ", "held"}, s.Repeated.Curve.median()}
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

// lives compares two lifetimes; other: they do not differ enough, or one that was
// censored cannot tell.
func (th Threshold) lives(was, is Survival) string {
	slack := max(th.Share*was.Until, th.Least.Seconds())
	switch longer, shorter := is.Until-is.Bound-was.Until, was.Until-was.Bound-is.Until; {
	case longer > slack && !was.Censored:
		return worse
	case shorter > slack && !is.Censored:
		return better
	}
	return other
}
