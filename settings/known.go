package settings

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/nearest"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

// Known reads the list of known failures, the value of [KnownFailures]. No rule may be excused
// twice for the same pattern. An error names the line and column in the file.
func Known(file string, list *yaml.Node) (out []*rules.KnownFailure, err error) {
	if list.Kind != yaml.SequenceNode {
		return nil, At(file, list, "%s is a list, of entries with id, rule and reason", KnownFailures)
	}
	excused := map[string]bool{}
	for _, entry := range list.Content {
		k, err := knownFailure(file, entry)
		if err != nil {
			return nil, err
		}
		for _, rule := range k.Rules {
			if excused[k.Pattern+" "+rule] {
				return nil, At(file, entry, "%s is excused twice in %s: keep one", rule, k.Pattern)
			}
			excused[k.Pattern+" "+rule] = true
		}
		out = append(out, k)
	}
	return out, nil
}

// knownFailure reads one entry of the list.
func knownFailure(file string, entry *yaml.Node) (*rules.KnownFailure, error) {
	if entry.Kind != yaml.MappingNode {
		return nil, At(file, entry, "an entry of %s has id, rule and reason", KnownFailures)
	}
	k := &rules.KnownFailure{Where: fmt.Sprintf("%s:%d", path.Base(file), entry.Line)}
	keys, seen := []string{"id", "rule", "reason", "until"}, map[string]*yaml.Node{}
	for i := 0; i < len(entry.Content); i += 2 {
		key, value := entry.Content[i], entry.Content[i+1]
		switch {
		case !slices.Contains(keys, key.Value):
			return nil, At(file, key, "there is no %.40q in %s%s", key.Value, KnownFailures, nearest.Hint(key.Value, keys))
		case seen[key.Value] != nil:
			return nil, At(file, key, "%s stands twice in an entry of %s", key.Value, KnownFailures)
		case value.Kind != yaml.ScalarNode && (key.Value != "rule" || value.Kind != yaml.SequenceNode):
			return nil, At(file, value, "%s takes one value", key.Value)
		}
		if seen[key.Value] = value; Unset(value) {
			value.Value = ""
		}
	}
	var chosen []*harness.Scenario
	if id := seen["id"]; id != nil {
		var err error
		if chosen, err = (scenarios.Selection{Only: []string{id.Value}}).Apply(scenarios.All()); err != nil {
			return nil, At(file, id, "%s", err)
		}
		k.Pattern = id.Value
	}
	for _, s := range chosen {
		k.IDs = append(k.IDs, s.ID)
	}
	if reason := seen["reason"]; reason != nil {
		k.Reason = strings.TrimSpace(reason.Value)
	}
	if until := seen["until"]; until != nil {
		var err error
		if k.Until, err = time.Parse(time.DateOnly, until.Value); err != nil {
			return nil, At(file, until, "until %.40q is not a date such as 2027-01-31", until.Value)
		}
	}
	rules := []*yaml.Node{seen["rule"]}
	switch {
	case k.Pattern == "" || k.Reason == "":
		return nil, At(file, entry, "an entry of %s has id, rule and reason", KnownFailures)
	case seen["rule"] == nil || seen["rule"].Kind == yaml.SequenceNode && len(seen["rule"].Content) == 0:
		return nil, At(file, entry, "this entry of %s names no rule: add what is broken, such as rule: R36", KnownFailures)
	case seen["rule"].Kind == yaml.SequenceNode:
		rules = seen["rule"].Content
	}
	for _, rule := range rules {
		if err := scenarios.CheckRule(scenarios.All(), rule.Value); err != nil {
			return nil, At(file, rule, "%s", err)
		}
		if scenarios.CheckRule(chosen, rule.Value) != nil {
			return nil, At(file, rule, "%s does not judge %s; see finwait list --scripts", rule.Value, k.Pattern)
		}
		if err := scenarios.CheckJudged(chosen, rule.Value); err != nil {
			return nil, At(file, rule, "%s, so it cannot be known to fail: leave it out", err)
		}
		k.Rules = append(k.Rules, rule.Value)
	}
	return k, nil
}
