package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/finwait/finwait/reports"
)

// kind summarizes the peers of one kind in a scenario's crowd.
type kind struct {
	Name       string
	N          int
	Told, Ends string // how often each close code and each end of TCP was seen: "1001 ×9, none seen ×1"
	Held       string // how long the server process held the socket that it held longest

	codes, ends map[string]int
	longest     *reports.Survival
}

// kinds returns the kinds of peers in a scenario's crowd, in the order of the crowd.
func kinds(s *reports.Scenario) []*kind {
	var out []*kind
	for i := range s.Crowd {
		m := &s.Crowd[i]
		name := cmp.Or(m.Kind, "all")
		at := slices.IndexFunc(out, func(k *kind) bool { return k.Name == name })
		if at < 0 {
			at, out = len(out), append(out, &kind{Name: name, codes: map[string]int{}, ends: map[string]int{}})
		}
		k := out[at]
		k.N++
		k.ends[endOfTCP(m)]++
		if !m.Refused {
			k.codes[closeCode(m)]++
		}
		if m.Held != nil && (k.longest == nil || m.Held.Until > k.longest.Until) {
			k.longest = m.Held
		}
	}
	for _, k := range out {
		k.Told, k.Ends, k.Held = counts(k.codes), counts(k.ends), "not observed"
		if k.longest != nil {
			k.Held = k.longest.String()
		}
	}
	return out
}

// closeCode returns the close code that a peer read, or "none seen" if it read no Close frame.
func closeCode(m *reports.Member) string {
	switch {
	case m.Close == nil:
		return "none seen"
	case m.Close.Code == nil:
		return "without a code"
	}
	return fmt.Sprint(*m.Close.Code)
}

// endOfTCP says how TCP ended, as the peer saw it.
func endOfTCP(m *reports.Member) string {
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

// counts lists the keys with their counts, the most frequent first.
func counts(n map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], strings.Compare(a, b)) })
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s ×%d", k, n[k])
	}
	return strings.Join(keys, ", ")
}
