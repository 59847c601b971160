package reports

import (
	"fmt"
	"strings"
)

// Alike are scenarios whose results say the same: their ids differ in one part, and the
// same rules were breached in the same words, figures aside.
type Alike struct {
	Scenario *Scenario // the first
	pattern  string    // id with * for the part that differs
	ids      []string
}

// Name is the ids in short.
func (a *Alike) Name() string { return name(a.pattern, a.ids) }

// Breach is the finding that made the verdict; nil for one that could not be
// carried out.
func (a *Alike) Breach() *Finding { return a.Scenario.Breach() }

// IDs are the parts in which the ids differ, where Name counts them; else nil.
func (a *Alike) IDs() []string {
	if len(a.ids) <= mostNamed {
		return nil
	}
	return parts(a.pattern, a.ids)
}

// nameWithIDs is Name, followed by the ids where Name only counts them.
func (a *Alike) nameWithIDs() string {
	if ids := a.IDs(); ids != nil {
		return a.Name() + ": " + strings.Join(ids, ", ")
	}
	return a.Name()
}

// mostNamed is how many ids of one pattern are named in short.
const mostNamed = 4

// name is the id of one scenario, family/{one,two} for up to [mostNamed], and for more
// the pattern with their count.
func name(pattern string, ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	if len(ids) > mostNamed {
		return fmt.Sprintf("%s (%d)", pattern, len(ids))
	}
	return strings.Replace(pattern, "*", "{"+strings.Join(parts(pattern, ids), ",")+"}", 1)
}

// parts are the parts of the ids that the * of the pattern stands for.
func parts(pattern string, ids []string) []string {
	before, after, _ := strings.Cut(pattern, "*")
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strings.TrimSuffix(strings.TrimPrefix(id, before), after)
	}
	return out
}

// Group puts scenarios that failed, warned or could not be carried out together
// where they are alike, in their order.
func Group(list []Scenario) []*Alike {
	var out []*Alike
	byKey := map[string]*Alike{}
	for i := range list {
		s := &list[i]
		if v := listedAs(s); v != Fail && v != Errored && v != Warn {
			continue
		}
		pattern := pattern(s.ID)
		key := pattern + "\x00" + s.Verdict + "\x00" + signature(s)
		g := byKey[key]
		if g == nil {
			g = &Alike{pattern: pattern, Scenario: s}
			byKey[key] = g
			out = append(out, g)
		}
		g.ids = append(g.ids, s.ID)
	}
	return out
}

// listedAs is the verdict that a scenario is listed under: a warning beside a known
// failure is a warning.
func listedAs(s *Scenario) string {
	if s.Verdict == Known && s.Breach() != nil {
		return Warn
	}
	return s.Verdict
}

// pattern is the id with * for its second part, which differs within a family:
// family/*/variant, or family/*.
func pattern(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) > 1 {
		parts[1] = "*"
	}
	return strings.Join(parts, "/")
}

// signature is what results that are alike have in common: the breached rules, what was seen
// and what could not be measured, without figures.
func signature(s *Scenario) string {
	var b strings.Builder
	if s.Verdict == Errored {
		b.WriteString(s.Error)
	}
	for _, f := range s.Findings {
		if f.Outcome == breached {
			fmt.Fprintf(&b, "%s %s %s %s\n", f.Rule, f.Want, withoutFigures(f.Got), s.knownAs(f))
		}
	}
	b.WriteString(withoutFigures(s.NotMeasured()))
	return b.String()
}

// withoutFigures replaces figures by #: latencies differ from scenario to scenario.
func withoutFigures(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }), "#")
}
