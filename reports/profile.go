package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/rules"
)

// Profile is what the target is judged by: the limits in force, what its library does
// otherwise than RFC 6455, and the weights of rules.
type Profile struct {
	CloseTimeout  float64       `json:"closeTimeout"`
	Response      float64       `json:"response"`
	Patience      float64       `json:"patience"`
	StopTimeout   float64       `json:"stopTimeout"`
	PingInterval  float64       `json:"pingInterval,omitempty"`
	Strict        bool          `json:"strict"`
	Orphans       bool          `json:"orphans,omitempty"`
	ShutdownCodes []int         `json:"shutdownCodes,omitempty"` // besides 1001; sorted
	NoCode        *Convention   `json:"noCode,omitempty"`        // for a Close without a code, besides 1005; absent: none is declared
	LostCode      *Convention   `json:"lostCode,omitempty"`      // where TCP was gone without a Close, besides 1006
	KillUntold    bool          `json:"killUntold,omitempty"`    // no close event for the application's own hard kill
	Rules         rules.Weights `json:"rules,omitempty"`         // the weights that were set
}

// Convention is the code of a close event that a library declares; null where it
// has none then.
type Convention struct {
	Code *int `json:"code"`
}

// NewProfile is the profile of a run.
func NewProfile(p rules.Profile) Profile {
	return Profile{
		CloseTimeout: sec(p.CloseTimeout), Response: sec(p.Response), Patience: sec(p.Patience), StopTimeout: sec(p.StopTimeout),
		PingInterval: sec(p.PingInterval), Strict: p.Strict, Orphans: p.Orphans,
		ShutdownCodes: slices.Compact(slices.Sorted(slices.Values(p.ShutdownCodes))),
		NoCode:        conventionOf(p.NoCode), LostCode: conventionOf(p.LostCode), KillUntold: p.KillUntold, Rules: p.Weights,
	}
}

func conventionOf(c rules.Convention) *Convention {
	if !c.Declared {
		return nil
	}
	return &Convention{c.Code}
}

// Equal tells whether two profiles judge alike.
func (p Profile) Equal(other Profile) bool { return p.String() == other.String() }

// String is the profile in a line. All that can differ stands in it, for two that
// read alike are equal.
func (p Profile) String() string {
	out := fmt.Sprintf("close timeout %gs, response %gs, patience %gs, stop timeout %gs", p.CloseTimeout, p.Response,
		p.Patience, p.StopTimeout)
	for _, part := range []struct {
		set  bool
		text string
	}{
		{p.PingInterval > 0, fmt.Sprintf("ping interval %gs", p.PingInterval)},
		{p.Strict, "strict"},
		{p.Orphans, "orphans"},
		{len(p.ShutdownCodes) > 0, "shutdown codes " + strings.Trim(strings.ReplaceAll(fmt.Sprint(p.ShutdownCodes), " ", " and "), "[]")},
		{p.NoCode != nil, "a Close frame without a code reported as " + p.NoCode.String()},
		{p.LostCode != nil, "TCP ended without a Close frame reported as " + p.LostCode.String()},
		{p.KillUntold, "hard kills not reported"},
		{len(p.Rules) > 0, "rules: " + p.Rules.String()},
	} {
		if part.set {
			out += ", " + part.text
		}
	}
	return out
}

// String is the code, or null.
func (c *Convention) String() string {
	if c == nil {
		return ""
	}
	return rules.Convention{Code: c.Code}.String()
}
