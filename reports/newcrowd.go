package reports

import (
	"fmt"
	"slices"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/survival"
)

// NewCrowd makes the model of a crowd's run. As with [New], nothing else reads what
// was measured.
func NewCrowd(run *crowds.Run) *Crowd {
	out := &Crowd{
		Format: CrowdFormat, Version: Version, Target: run.Target, Started: utc(run.Started), Took: sec(run.Took), Then: string(run.Then),
		Opening: sec(run.Opening), Failures: map[string]int{}, Observed: run.Observed, Patience: sec(run.Patience),
		Kinds: []CrowdKind{}, Output: Printable(run.Output), Notes: append([]string{}, run.Notes...), Stopped: run.Stopped,
	}
	if run.Exit != nil {
		out.Exit = newExit(run.Exit)
	}
	var seen observations
	kinds := map[string]*CrowdKind{}
	for i := range run.Members {
		m := &run.Members[i]
		switch {
		case m.Err != "":
			out.Failures[OneLine(m.Err)]++
			continue
		case !m.Peer.IsValid(): // its turn did not come
			out.Unopened++
			continue
		}
		out.Opened++
		if m.EndedEarly {
			out.Lost++
			continue
		}
		if m.Trigger == 0 { // it was interrupted before
			continue
		}
		k := kinds[string(m.Kind)]
		if k == nil {
			k = &CrowdKind{Kind: string(m.Kind), Told: map[string]int{}, Endings: map[string]int{}}
			kinds[k.Kind] = k
		}
		k.Peers++
		how, at := m.Ending()
		k.Endings[string(how)]++
		k.Told[toldCode(m)]++
		o := survival.Observation{Time: at.Seconds(), Censored: how == peers.Open || how == peers.Unseen}
		if run.Observed {
			o = survival.Observation{Time: (m.StoppedAt - m.Trigger).Seconds(), Censored: true}
			if m.Released > 0 {
				until := m.Released - m.Trigger
				o = survival.Observation{Time: until.Seconds(), Interval: m.Bound > 0, After: (until - m.Bound).Seconds()}
				k.Bound = max(k.Bound, sec(m.Bound))
			}
		}
		seen.add(k.Kind, !run.Observed, o, 0) // the kind has the bound
	}
	for _, c := range seen.curves() {
		k := kinds[c.Kind]
		k.Curve = c
		out.Kinds = append(out.Kinds, *k)
	}
	slices.SortFunc(out.Kinds, func(a, b CrowdKind) int {
		return slices.Index(peers.Kinds, peers.Kind(a.Kind)) - slices.Index(peers.Kinds, peers.Kind(b.Kind))
	})
	escapeInvalidUTF8(out)
	return out
}

// toldCode is the code of the server's first Close frame to a peer, as [CrowdKind] counts it.
func toldCode(m *peers.Member) string {
	switch {
	case m.CloseAt == 0:
		return "-"
	case m.Code < 0:
		return "none"
	}
	return fmt.Sprint(m.Code)
}
