package flags

import (
	"errors"
	"fmt"
	"time"
)

// Shortest is the least value of a limit. A shorter limit would measure the machine and
// not the server.
const Shortest = 100 * time.Millisecond

// Longest is the greatest value of a time. No run lasts as long, and the sum with the
// tolerance does not overflow.
const Longest = 24 * time.Hour

// Limit is a flag for a time from Least to [Longest]. It implements [flag.Value] and
// pflag.Value.
type Limit struct {
	To    *time.Duration
	Least time.Duration
}

// Set parses the text. The caller puts the error after the text.
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

// String is the time. Zero is empty, so that the help does not show it as a default.
func (l Limit) String() string {
	if l.To == nil || *l.To == 0 {
		return ""
	}
	return l.To.String()
}

// Type is the name of the value in the help.
func (l Limit) Type() string { return "duration" }
