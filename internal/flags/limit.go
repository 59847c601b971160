package flags

import (
	"errors"
	"fmt"
	"time"
)

// Shortest is the least that a limit may be: shorter, it would measure the
// machine and not the server.
const Shortest = 100 * time.Millisecond

// Longest is the most that a time may be: no run lasts as long, and what is added to
// it as tolerance still fits.
const Longest = 24 * time.Hour

// Limit is a time as a flag, which has a least value and is at most [Longest]. It implements [flag.Value]
// and pflag's.
type Limit struct {
	To    *time.Duration
	Least time.Duration
}

// Set takes the text; its error is to stand behind it.
func (l Limit) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return errors.New("no time: give one such as 30s or 1m30s")
	case d < 0 && l.Least == 0:
		return errors.New("negative: give a time such as 30s")
	case d > Longest:
		return fmt.Errorf("more than %s: give a time such as 30s", Longest)
	case d < l.Least:
		return fmt.Errorf("less than %s: give a time such as 30s", l.Least)
	}
	*l.To = d
	return nil
}

// String is the time. Zero has no text, so that no help shows it as a default.
func (l Limit) String() string {
	if l.To == nil || *l.To == 0 {
		return ""
	}
	return l.To.String()
}

// Type is what the help calls the value.
func (l Limit) Type() string { return "duration" }
