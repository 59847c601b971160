package scenarios

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/nearest"
)

// Selection says which scenarios of a catalogue run. A pattern is an id, a family, or a
// pattern of [path.Match], in which * does not match a slash. A family, and a pattern
// that ends in a slash and *, select everything below. An empty Selection selects all.
type Selection struct {
	Only, Skip []string
	Labels     []string // where there are any, a scenario needs one of them
}

// Apply returns the selected scenarios in the catalogue's order. A pattern or
// label that matches nothing is an error, and so is an empty selection.
func (s Selection) Apply(all []*harness.Scenario) ([]*harness.Scenario, error) {
	for _, p := range slices.Concat(s.Only, s.Skip) {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("pattern %q is malformed", p)
		}
		if !slices.ContainsFunc(all, func(c *harness.Scenario) bool { return matches(p, c.ID) }) {
			return nil, fmt.Errorf("no scenario matches %q%s; see finwait list", p, nearest.Hint(p, ids(all)))
		}
	}
	for _, l := range s.Labels {
		if !slices.ContainsFunc(all, func(c *harness.Scenario) bool { return slices.Contains(c.Labels, l) }) {
			return nil, fmt.Errorf("no scenario has the label %q; see finwait list", l)
		}
	}
	var out []*harness.Scenario
	for _, c := range all {
		match := func(p string) bool { return matches(p, c.ID) }
		labelled := func(l string) bool { return slices.Contains(c.Labels, l) }
		if (len(s.Only) == 0 || slices.ContainsFunc(s.Only, match)) &&
			(len(s.Labels) == 0 || slices.ContainsFunc(s.Labels, labelled)) &&
			!slices.ContainsFunc(s.Skip, match) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the selection leaves no scenario; see finwait list")
	}
	return out, nil
}

func matches(pattern, id string) bool {
	if ok, _ := path.Match(pattern, id); ok {
		return true
	}
	below, star := strings.CutSuffix(pattern, "/*")
	if !star && strings.ContainsAny(pattern, "*?[") {
		return false
	}
	return strings.HasPrefix(id, below+"/")
}

func ids(list []*harness.Scenario) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.ID
	}
	return out
}
