package reports

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
)

// Survival is a lifetime: it ended in [until-bound, until], or, censored, had
// not ended at until.
type Survival struct {
	Until    float64 `json:"until"`
	Bound    float64 `json:"bound"`
	Censored bool    `json:"censored"`
}

// evidence is the lifetime as the rules judge it.
func (s Survival) evidence() evidence.Survival {
	return evidence.Survival{Until: duration(s.Until), Bound: duration(s.Bound), Censored: s.Censored}
}

// Interval is [evidence.Survival.Interval].
func (s Survival) Interval() bool { return s.evidence().Interval() }

// Earliest is the first moment at which it may have ended, in seconds, not before the trigger.
func (s Survival) Earliest() float64 { return s.evidence().Earliest().Seconds() }

// Excludes is [evidence.Survival.Excludes].
func (s Survival) Excludes(o Survival, slack time.Duration) bool {
	return s.evidence().Excludes(o.evidence(), slack)
}

// String is that of [evidence.Survival], and tells the error bound of one figure where that is
// above one per cent: "2.00 ms, 0.05 ms less at most".
func (s Survival) String() string {
	e := s.evidence()
	if e.Censored || e.Interval() || e.Bound <= e.Until/100 {
		return e.String()
	}
	return fmt.Sprintf("%s, %s less at most", e, figures.Format(min(e.Bound, e.Until)))
}

// Held says how long a socket was held: "held 2.00 s", or, of an interval, when it was let go:
// "let go between 29.5 s and 30.5 s".
func (s Survival) Held() string {
	if s.Interval() {
		return "let go " + s.String()
	}
	return "held " + s.String()
}
