package evidence

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/internal/figures"
)

// Survival is a lifetime since the trigger, with its error bound: the end lies in
// [Until-Bound, Until]. A Censored lifetime had not ended at Until, when finwait stopped
// looking.
type Survival struct {
	Until    time.Duration
	Bound    time.Duration
	Censored bool
}

// narrow is an error bound up to which a lifetime is one figure, whatever its share is. Those of
// the kernel are milliseconds.
const narrow = 50 * time.Millisecond

// Interval reports whether the end is known only as an interval: the error bound is more than
// 50 ms, and more than one per cent of the lifetime.
func (s Survival) Interval() bool { return !s.Censored && s.Bound > max(narrow, s.Until/100) }

// Earliest is the first moment at which it may have ended, not before the trigger.
func (s Survival) Earliest() time.Duration {
	if s.Censored {
		return s.Until
	}
	return max(0, s.Until-s.Bound)
}

// Excludes reports whether two figures cannot be of one lifetime: one of them ended more than
// slack before the other, wherever the ends lie within their bounds.
func (s Survival) Excludes(o Survival, slack time.Duration) bool {
	return s.endsBefore(o, slack) || o.endsBefore(s, slack)
}

func (s Survival) endsBefore(o Survival, slack time.Duration) bool {
	return !s.Censored && s.Until+slack < o.Earliest()
}

// String is the lifetime in words: "2.00 s"; "between 29.5 s and 30.5 s", or "within 0.31 s",
// where it is an [Survival.Interval]; "> 35.0 s" where it is censored.
func (s Survival) String() string {
	until, earliest := figures.Format(s.Until), s.Earliest()
	switch {
	case s.Censored:
		return "> " + until
	case !s.Interval():
		return until
	case earliest < time.Microsecond: // as precise as a report is
		return "within " + until
	}
	return fmt.Sprintf("between %s and %s", figures.Format(earliest), until)
}
