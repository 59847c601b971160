package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/finwait/finwait/reports"
)

// kind is what became of the peers of one kind in a scenario's crowd.
type kind struct {
	Name       string
	N          int
	Told, Ends string // how often each: "1001 ×9, none seen ×1"
	Held       string // the longest of the server's sockets

	told, ends map[string]int
	longest    *reports.Survival
}

// kinds are those of a scenario's crowd, in its order.
func kinds(s *reports.Scenario) []*kind {
	var out []*kind
	for i := range s.Crowd {
		m := &s.Crowd[i]
		name := cmp.Or(m.Kind, "all")
		at := slices.IndexFunc(out, func(k *kind) bool { return k.Name == name })
		if at < 0 {
			at, out = len(out), append(out, &kind{Name: name, told: map[string]int{}, ends: map[string]int{}})
		}
		k := out[at]
		k.N++
		k.ends[ended(m)]++
		if !m.Refused {
			k.told[told(m)]++
		}
		if m.Held != nil && (k.longest == nil || m.Held.Until > k.longest.Until) {
			k.longest = m.Held
		}
	}
	for _, k := range out {
		k.Told, k.Ends, k.Held = counts(k.told), counts(k.ends), "not observed"
		if k.longest != nil {
			k.Held = k.longest.String()
		}
	}
	return out
}

// told is the close code that a peer was told, as far as it read and saw.
func told(m *reports.Member) string {
	switch {
	case m.Close == nil:
		return "none seen"
	case m.Close.Code == nil:
		return "without a code"
	}
	return fmt.Sprint(*m.Close.Code)
}

// ended is how TCP ended for a peer.
func ended(m *reports.Member) string {
	if m.Refused {
		return "refused"
	}
	switch m.Ending {
	case "fin", "rst":
		return strings.ToUpper(m.Ending)
	case "open":
		return "still open"
	case "unseen":
		return "not seen"
	}
	return "broke"
}

// counts writes how often each came, the most frequent first.
func counts(n map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], strings.Compare(a, b)) })
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s ×%d", k, n[k])
	}
	return strings.Join(keys, ", ")
}
