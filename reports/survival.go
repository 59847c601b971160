package reports

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/internal/figures"
)

// Survival is a lifetime: it ended in [until-bound, until], or, censored, had
// not ended at until.
type Survival struct {
	Until    float64 `json:"until"`
	Bound    float64 `json:"bound"`
	Censored bool    `json:"censored"`
}

// An end whose error bound is above both is told as an interval. The bounds of one that the
// kernel tells are milliseconds.
const (
	wideShare = 0.01 // of until
	wideBound = 0.05 // seconds
)

// Interval reports whether the end is known only as an interval.
func (s Survival) Interval() bool {
	return !s.Censored && s.Bound > wideBound && s.Bound > s.Until*wideShare
}

// Earliest is the first moment at which it may have ended, in seconds, not before the trigger.
func (s Survival) Earliest() float64 {
	if s.Censored {
		return s.Until
	}
	return max(0, s.Until-s.Bound)
}

// String is the lifetime in words: "2.00 s"; "2.00 ms, 0.05 ms less at most" where the error
// bound is above one per cent; "between 29.5 s and 30.5 s", or "within 0.31 s", where it is an
// [Survival.Interval]; "> 35.0 s" where it is censored.
func (s Survival) String() string {
	until, bound := duration(s.Until), duration(s.Bound)
	earliest := duration(s.Earliest())
	switch {
	case s.Censored:
		return "> " + figures.Format(until)
	case s.Interval() && earliest < time.Microsecond: // as precise as JSON is
		return "within " + figures.Format(until)
	case s.Interval():
		return fmt.Sprintf("between %s and %s", figures.Format(earliest), figures.Format(until))
	case bound > until/100:
		return fmt.Sprintf("%s, %s less at most", figures.Format(until), figures.Format(bound))
	}
	return figures.Format(until)
}

// Held says how long a socket was held: "held 2.00 s", or, of an interval, when it was let go:
// "let go between 29.5 s and 30.5 s".
func (s Survival) Held() string {
	if s.Interval() {
		return "let go " + s.String()
	}
	return "held " + s.String()
}
