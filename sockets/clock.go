package sockets

import (
	"errors"
	"slices"
	"time"
)

const (
	// A kernel slews a clock by 500 ppm at most (adjtimex(2)), and two clocks may do so in
	// opposite directions: they drift apart by one thousandth of the time that passes.
	driftShare  = 1000
	mostOffsets = 1024
)

// clock converts times of an observer elsewhere to this host's. Each exchange bounds the moment
// at which the observer's clock was 0: what it answered, it wrote after it was asked and before
// the answer came. The bounds of an exchange grow with its distance, by the drift. All hold at the
// same time, so that the shortest exchange near an event decides.
type clock struct {
	offsets []offset // in the order of at
}

// offset says that the observer's clock was 0 in [earliest, latest].
type offset struct {
	at               time.Duration
	earliest, latest time.Time
}

// add takes over an exchange in which the observer answered that its clock was at. The error says
// that this cannot be.
func (c *clock) add(at time.Duration, asked, answered time.Time) error {
	if n := len(c.offsets); n > 0 && at < c.offsets[n-1].at {
		return errors.New("its clock goes back")
	}
	c.offsets = append(c.offsets, offset{at, asked.Add(-at), answered.Add(-at)})
	if earliest, latest := c.zero(at); earliest.After(latest) {
		return errors.New("its clock does not run as this host's does: was one of them suspended?")
	}
	if len(c.offsets) > mostOffsets {
		c.offsets = slices.Delete(c.offsets, 0, mostOffsets/2)
	}
	return nil
}

// zero returns the bounds of the moment at which the observer's clock was 0, for an event at that
// time.
func (c *clock) zero(at time.Duration) (earliest, latest time.Time) {
	for i, s := range c.offsets {
		drift := max(at-s.at, s.at-at) / driftShare
		if from := s.earliest.Add(-drift); i == 0 || from.After(earliest) {
			earliest = from
		}
		if to := s.latest.Add(drift); i == 0 || to.Before(latest) {
			latest = to
		}
	}
	return earliest, latest
}

// local returns the bounds of an event that happened in [from, to] on the observer's clock.
func (c *clock) local(from, to time.Duration) (earliest, latest time.Time) {
	earliest, _ = c.zero(from)
	_, latest = c.zero(to)
	return earliest.Add(from), latest.Add(to)
}
