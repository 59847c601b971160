package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/nearest"
	"github.com/finwait/finwait/rules"
)

// RuleIDs are the ids of the rules by which the scenarios are judged, each once, in the
// order of the scenarios.
func RuleIDs(list []*harness.Scenario) (out []string) {
	out, _ = ruleIDs(list)
	return out
}

// ruleIDs are also those of them that are judged: not INFO wherever they stand.
func ruleIDs(list []*harness.Scenario) (all []string, judged map[string]bool) {
	seen := map[string]bool{}
	judged = map[string]bool{}
	for _, s := range list {
		for _, r := range append(s.Rules[:len(s.Rules):len(s.Rules)], rules.Alive) {
			if !seen[r.ID] {
				seen[r.ID] = true
				all = append(all, r.ID)
			}
			judged[r.ID] = judged[r.ID] || r.Grade != rules.Info
		}
	}
	return all, judged
}

// CheckJudged tells that the rule only measures, in each of the scenarios that have it: it
// can neither fail nor warn.
func CheckJudged(list []*harness.Scenario, id string) error {
	if all, judged := ruleIDs(list); slices.Contains(all, id) && !judged[id] {
		return fmt.Errorf("%s is %s: it is measured and never judged", id, rules.Info)
	}
	return nil
}

// CheckRule returns an error where the scenarios are judged by no rule with the id.
func CheckRule(list []*harness.Scenario, id string) error {
	if ids := RuleIDs(list); !slices.Contains(ids, id) {
		return fmt.Errorf("no rule has the id %.40q%s; see finwait list --scripts", id, nearest.Hint(id, ids))
	}
	return nil
}

// WeightFlag is a flag that gives one rule a weight, such as R36=off; a command line may
// repeat it. It implements [flag.Value] and pflag's.
type WeightFlag struct{ To *rules.Weights }

// Set gives a rule its weight. Its error makes sense after the name of the flag.
func (w WeightFlag) Set(text string) error {
	rule, weight, err := parseWeight(text)
	if err == nil {
		w.set(rule, weight)
	}
	return err
}

// SetDefault gives a rule its weight, unless it has one.
func (w WeightFlag) SetDefault(text string) error {
	rule, weight, err := parseWeight(text)
	if _, set := (*w.To)[rule]; err == nil && !set {
		w.set(rule, weight)
	}
	return err
}

func (w WeightFlag) set(rule string, weight rules.Weight) {
	if *w.To == nil {
		*w.To = rules.Weights{}
	}
	(*w.To)[rule] = weight
}

// parseWeight reads a text such as R36=off.
func parseWeight(text string) (rule string, weight rules.Weight, err error) {
	rule, word, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", fmt.Errorf("%.40q gives no weight: give one such as R36=off", text)
	}
	rule, word = strings.TrimSpace(rule), strings.TrimSpace(word)
	if err := CheckRule(All(), rule); err != nil {
		return "", "", err
	}
	if !slices.Contains([]rules.Weight{rules.Fails, rules.Warns, rules.Off}, rules.Weight(word)) {
		return "", "", fmt.Errorf("%.40q is no weight of %s: give fail, warn or off", word, rule)
	}
	if err := CheckJudged(All(), rule); err != nil && rules.Weight(word) != rules.Off {
		return "", "", fmt.Errorf("%w: give off, or no weight", err)
	}
	return rule, rules.Weight(word), nil
}

// String joins the weights, sorted by rule, by commas: R34=warn,R36=off.
func (w WeightFlag) String() string {
	if w.To == nil {
		return ""
	}
	var out []string
	for _, rule := range slices.Sorted(maps.Keys(*w.To)) {
		out = append(out, fmt.Sprintf("%s=%s", rule, (*w.To)[rule]))
	}
	return strings.Join(out, ",")
}

// Type is the name of the value in the help text.
func (w WeightFlag) Type() string { return "rule=weight" }
