package scenarios_test

import (
	"slices"
	"testing"

	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

// TestEveryScenarioAsks: a scenario exists for at least one of its rules. A rule that only measures
// can give no pass: it is asked where nothing judged is asked, or beside a rule that judges in some
// runs alone.
func TestEveryScenarioAsks(t *testing.T) {
	sometimes := map[string]bool{
		rules.KeepaliveDeclared.ID: true, // only where a ping interval is declared
		rules.HandshakeStatus.ID:   true, // only where the server gives up
	}
	for _, s := range scenarios.All() {
		if len(s.Asks) == 0 {
			t.Errorf("%s asks no rule", s.ID)
		}
		if len(slices.Compact(slices.Sorted(slices.Values(s.Asks)))) != len(s.Asks) {
			t.Errorf("%s asks a rule twice: %q", s.ID, s.Asks)
		}
		var measures, judges []string
		for _, id := range s.Asks {
			i := slices.IndexFunc(s.Rules, func(r rules.Rule) bool { return r.ID == id })
			switch {
			case i < 0:
				t.Errorf("%s asks %s, which is none of its rules", s.ID, id)
			case s.Rules[i].Grade == rules.Info:
				measures = append(measures, id)
			case !sometimes[id]:
				judges = append(judges, id)
			}
		}
		if measures != nil && judges != nil {
			t.Errorf("%s asks %q, which can give no pass, beside %q", s.ID, measures, judges)
		}
	}
}
