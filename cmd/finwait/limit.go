package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// shortest is the least that a limit may be: shorter, it would measure the
// machine and not the server.
const shortest = 100 * time.Millisecond

// limit is a time as a flag, which has a least value.
type limit struct {
	to    *time.Duration
	least time.Duration
}

// limitVar adds such a flag, which stands in to.
func limitVar(f *pflag.FlagSet, to *time.Duration, name string, least, usual time.Duration, usage string) {
	*to = usual
	f.Var(limit{to, least}, name, usage)
}

// Set implements [pflag.Value]. Its error is to stand behind the text.
func (l limit) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return errors.New("no time: give one such as 30s or 1m30s")
	case d < 0 && l.least == 0:
		return errors.New("negative: give a time such as 30s")
	case d < l.least:
		return fmt.Errorf("less than %s: give a time such as 30s", l.least)
	}
	*l.to = d
	return nil
}

// String implements [pflag.Value]. Zero has no text, so that no help shows it as
// a default.
func (l limit) String() string {
	if l.to == nil || *l.to == 0 {
		return ""
	}
	return l.to.String()
}

// Type implements [pflag.Value].
func (l limit) Type() string { return "duration" }
