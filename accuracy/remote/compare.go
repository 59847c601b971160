package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// What the comparison demands.
const (
	leastShare = 0.95 // of the socket rules that are judged beside the server and not hidden from the wire
	wallFactor = 1.1  // on patience, the longest look of a run
	wallFixed  = 2    // seconds

	// slack allows for two different plays of one script.
	slackFixed = 50 * time.Millisecond
	slackShare = 0.01 // of the longer lifetime
)

// socketRules are those that need to know how long the server's process held the socket.
var socketRules = []string{
	"R16", "R17", "R18", "R19", "R20", "R28-held", "R31", "R31-life", "R32", "R32-declared", "R33",
}

// run is one run of the catalogue.
type run struct {
	*reports.Report
	wall time.Duration // of the whole command
}

// comparison is what two runs against one server say.
type comparison struct {
	name           string
	err            error // it was not carried out
	beside, across *run

	scenarios      int
	contradictions []string // verdicts, a line each
	judgedBeside   int      // socket rules, counted in each scenario
	judgedAcross   int      // of those
	hidden         int      // of those, the ones about which nothing on the wire can tell
	unjudged       []unjudged
	contain        int      // lifetimes that contain the kernel's
	misses         []string // those that do not, a line each
	slow           []string // runs that took too long, a line each
	errored        []string // scenarios that were carried out beside only, a line each
}

// compare fills the comparison. races are the scenarios whose verdict is not steady.
func (c *comparison) compare(races map[string]string) {
	across := map[string]*reports.Scenario{}
	for i := range c.across.Scenarios {
		across[c.across.Scenarios[i].ID] = &c.across.Scenarios[i]
	}
	for i := range c.beside.Scenarios {
		near := &c.beside.Scenarios[i]
		far := across[near.ID]
		if far == nil {
			c.errored = append(c.errored, near.ID+": not in the report from across")
			continue
		}
		c.scenarios++
		c.compareVerdicts(near, far, races[near.ID])
		c.compareRules(near, far)
		c.compareLifetimes(near, far)
	}
	// What finwait finds out before the first scenario is not part of a look. And some servers
	// make scenarios wait that are played one after another, beside them too.
	before, beside := c.beside.beforeScenarios(), c.beside.wall.Seconds()
	limit := max(before+wallFactor*c.across.Profile.Patience+wallFixed, wallFactor*beside)
	if took := c.across.wall.Seconds(); took > limit {
		c.slow = append(c.slow, fmt.Sprintf(
			"the run across took %.1f s, more than %.1f s; before its first scenario %.1f s (%.1f s beside)",
			took, limit, c.across.beforeScenarios(), before))
	}
}

// beforeScenarios is how long it took until the first scenario began, in seconds.
func (r *run) beforeScenarios() float64 {
	var first time.Time
	for _, s := range r.Scenarios {
		if first.IsZero() || !s.Started.IsZero() && s.Started.Before(first) {
			first = s.Started
		}
	}
	return max(0, first.Sub(r.Started).Seconds())
}

// gravity orders the verdicts that say something about the server. Two that differ in it
// contradict each other.
var gravity = map[string]int{
	reports.Pass: 1, reports.Info: 1, reports.Warn: 2, reports.Fail: 3, reports.Known: 3,
}

func (c *comparison) compareVerdicts(near, far *reports.Scenario, race string) {
	if far.Verdict == reports.Errored && near.Verdict != reports.Errored {
		c.errored = append(c.errored, fmt.Sprintf("%s: %s beside, error across: %s", near.ID, near.Verdict, far.Error))
	}
	g, h := gravity[near.Verdict], gravity[far.Verdict]
	if g == h || g == 0 || h == 0 || race != "" {
		return
	}
	c.contradictions = append(c.contradictions, fmt.Sprintf("%s: %s beside (%s), %s across (%s)",
		near.ID, near.Verdict, why(near), far.Verdict, why(far)))
}

// why says what made the verdict, and how long the socket was held.
func why(s *reports.Scenario) string {
	var out []string
	for _, f := range s.Findings {
		if w := f.Weighs(); w == rules.Fails || w == rules.Warns {
			out = append(out, f.Rule+": "+f.Got)
		}
	}
	return strings.Join(append(out, "held "+held(s)), "; ")
}

// held is the lifetime of the server's socket, in words.
func held(s *reports.Scenario) string {
	h := s.Held()
	switch {
	case h == nil && s.Socket != nil:
		return "unknown: " + s.Socket.Why
	case h == nil:
		return "unknown"
	}
	return h.String()
}

// compareRules counts the socket rules that each run has judged by the server's socket.
func (c *comparison) compareRules(near, far *reports.Scenario) {
	for _, f := range near.Findings {
		if !judgedBySocket(near, f.Rule) {
			continue
		}
		c.judgedBeside++
		if judgedBySocket(far, f.Rule) {
			c.judgedAcross++
			continue
		}
		if hidden(far) {
			c.hidden++
			continue
		}
		reason := "the scenario has no such finding: " + cmp.Or(far.Error, strings.Join(far.Missing, ", "), far.Verdict)
		if other := finding(far, f.Rule); other != nil {
			reason = other.Outcome + ": " + other.Got
		}
		c.unjudged = append(c.unjudged, unjudged{
			rule: f.Rule, reason: reason, example: fmt.Sprintf("%s: %s beside, held %s", near.ID, f.Outcome, held(near)),
		})
	}
}

// hidden tells whether nothing on the wire shows what the process did with its socket: the peer sent
// FIN after the server did, so that TCP was over in both directions, or it reset or forgot the
// connection. What answers for such a connection is the kernel alone, whoever holds a descriptor.
func hidden(s *reports.Scenario) bool {
	w := s.Wire
	forgotten := func(e reports.Event) bool { return e.Kind == string(peers.EventForgotten) }
	return w != nil && (w.PeerRST != nil || w.FIN != nil && w.PeerFIN != nil && *w.FIN <= *w.PeerFIN) ||
		slices.ContainsFunc(s.Trace, forgotten)
}

// unjudged is a socket rule that was judged beside the server only.
type unjudged struct{ rule, reason, example string }

// figure matches a time in a reason. Reasons that differ in times alone are one.
var figure = regexp.MustCompile(`[0-9.]+ m?s\b`)

// grouped is a line for each rule and reason, those of the most scenarios first.
func grouped(all []unjudged) (out []string) {
	groups := map[unjudged][]unjudged{}
	for _, u := range all {
		key := unjudged{rule: u.rule, reason: figure.ReplaceAllString(u.reason, "")}
		groups[key] = append(groups[key], u)
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b []unjudged) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a[0].example, b[0].example))
	})
	for _, g := range sorted {
		out = append(out, fmt.Sprintf("%s in %d scenarios, such as %s; across %s", g[0].rule, len(g), g[0].example, g[0].reason))
	}
	return out
}

func finding(s *reports.Scenario, rule string) *reports.Finding {
	i := slices.IndexFunc(s.Findings, func(f reports.Finding) bool { return f.Rule == rule })
	if i < 0 {
		return nil
	}
	return &s.Findings[i]
}

// judgedBySocket tells whether the scenario has an outcome of the rule that rests on how long
// the socket was held, and not on the wire alone.
func judgedBySocket(s *reports.Scenario, rule string) bool {
	f := finding(s, rule)
	return f != nil && slices.Contains(socketRules, rule) && s.Held() != nil &&
		slices.Contains([]string{string(rules.Kept), string(rules.Breached), string(rules.Measured)}, f.Outcome)
}

// compareLifetimes tells whether the lifetime from across contains the kernel's.
func (c *comparison) compareLifetimes(near, far *reports.Scenario) {
	kernel, probes := near.Held(), far.Held()
	if kernel == nil || probes == nil {
		return
	}
	// Two plays of one script differ by so much.
	slack := slackFixed + time.Duration(slackShare*max(probes.Until, kernel.Until)*float64(time.Second))
	if !probes.Excludes(*kernel, slack) {
		c.contain++
		return
	}
	c.misses = append(c.misses, fmt.Sprintf("%s: held %s beside, %s across", near.ID, held(near), held(far)))
}
