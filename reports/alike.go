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

// full is Name with all ids.
func (a *Alike) full() string {
	if ids := a.IDs(); ids != nil {
		return a.Name() + ": " + strings.Join(ids, ", ")
	}
	return a.Name()
}

// mostNamed is how many ids of one pattern are named in short.
const mostNamed = 4

// name is the id; of a few the ids in short, family/{one,two}; of more the
// pattern with their count.
func name(pattern string, ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	if len(ids) > mostNamed {
		return fmt.Sprintf("%s (%d)", pattern, len(ids))
	}
	return strings.Replace(pattern, "*", "{"+strings.Join(parts(pattern, ids), ",")+"}", 1)
}

// parts are what stands for the * of the pattern.
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

// pattern is the id without the part that a family varies: family/*/variant,
// or family/*.
func pattern(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) > 1 {
		parts[1] = "*"
	}
	return strings.Join(parts, "/")
}

// signature tells what was breached, and how long the hang was, roughly.
func signature(s *Scenario) string {
	var b strings.Builder
	if s.Verdict == Errored {
		b.WriteString(s.Error)
	}
	for _, f := range s.Findings {
		if f.Outcome == breached {
			fmt.Fprintf(&b, "%s %s %s %s\n", f.Rule, f.Want, rough(f.Got), s.knownAs(f))
		}
	}
	return b.String()
}

// rough leaves out figures: milliseconds of latency differ from case to case.
func rough(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }), "#")
}
