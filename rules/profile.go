package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/internal/flags"
)

// Profile holds the limits a target is judged by. The zero value of a field
// is replaced by its default.
type Profile struct {
	CloseTimeout  time.Duration // declared limit for letting go of the socket once a close has begun; default 10 s, as docker stop
	Response      time.Duration // limit for what needs no waiting, such as an answer or an immediate close; default 1 s
	Patience      time.Duration // for how long finwait looks, from the trigger; default 35 s
	Strict        bool          // a breached SHOULD fails
	Weights       Weights       // weights set for single rules; they go before the grade and Strict
	Orphans       bool          // look until the kernel has freed the socket, not only until the process let go of it
	StopTimeout   time.Duration // declared limit for the end of the process once it was asked to stop; default 10 s
	ShutdownCodes []int         // codes that a stopping server may send, besides 1001
	PingInterval  time.Duration // declared keepalive interval; 0: none is declared, and R32 only measures
	NoCode        Convention    // how a close event may report a Close frame without a code, besides 1005
	LostCode      Convention    // how a close event may report that TCP ended without a Close frame, besides 1006
	KillUntold    bool          // there may be no close event after the application's own hard kill
}

// Convention is what a library declares to report instead of a code of RFC
// 6455: another code, or null.
type Convention struct {
	Declared bool
	Code     *int
}

// String is the code, or null.
func (c Convention) String() string {
	if c.Code == nil {
		return "code null"
	}
	return fmt.Sprintf("code %d", *c.Code)
}

// Tolerance on the close timeout: 20 % and 1 s.
const (
	toleranceShare = 5 // a fifth
	toleranceFixed = time.Second
)

// WithDefaults returns the profile with the defaults in place of zero limits. It fails
// where the limits contradict each other.
func (p Profile) WithDefaults() (Profile, error) {
	if max(p.CloseTimeout, p.Response, p.Patience, p.StopTimeout, p.PingInterval) > flags.Longest {
		return p, fmt.Errorf("a time limit is longer than %s: give durations such as 10s", flags.Longest)
	}
	if p.CloseTimeout == 0 {
		p.CloseTimeout = 10 * time.Second
	}
	if p.Response == 0 {
		p.Response = time.Second
	}
	if p.StopTimeout == 0 {
		p.StopTimeout = 10 * time.Second
	}
	if p.Patience == 0 {
		p.Patience = max(35*time.Second, p.CloseLimit()+5*time.Second, p.StopLimit()+5*time.Second)
	}
	switch {
	case p.CloseTimeout < 0, p.Response < 0, p.Patience < 0, p.StopTimeout < 0, p.PingInterval < 0:
		return p, fmt.Errorf("a time limit is negative: give positive durations such as 10s")
	case p.ResponseLimit() > p.Patience:
		return p, fmt.Errorf("response %s is longer than patience %s: raise --patience", p.Response, p.Patience)
	case p.CloseLimit() >= p.Patience:
		return p, fmt.Errorf("patience %s does not reach past the close timeout with its tolerance (%s): "+
			"raise --patience or lower --close-timeout", p.Patience, p.CloseLimit())
	}
	return p, nil
}

// CloseLimit is the close timeout with its tolerance: +20 % and 1 s.
func (p Profile) CloseLimit() time.Duration { return limit(p.CloseTimeout) }

// StopLimit is the stop timeout with its tolerance: +20 % and 1 s.
func (p Profile) StopLimit() time.Duration { return limit(p.StopTimeout) }

// ResponseLimit is the response limit with a tolerance of 20 %, so that a server whose own
// timer is as long as the limit does not pass and fail in turns.
func (p Profile) ResponseLimit() time.Duration { return p.Response + p.Response/toleranceShare }

// PingLimit is the limit for letting go of a vanished peer where a keepalive is declared:
// one interval until the Ping and one for the Pong, with the tolerance. 0: none is declared.
func (p Profile) PingLimit() time.Duration {
	if p.PingInterval == 0 {
		return 0
	}
	return limit(2 * p.PingInterval)
}

func limit(d time.Duration) time.Duration { return d + d/toleranceShare + toleranceFixed }
