package evidence_test

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

func TestCombine(t *testing.T) {
	const ms = time.Millisecond
	held := func(asked time.Duration) peers.Look {
		return peers.Look{Asked: asked, Answered: asked + 10*ms, State: peers.Held}
	}
	letGo := func(asked time.Duration) peers.Look {
		return peers.Look{Asked: asked, Answered: asked + 10*ms, State: peers.LetGo}
	}
	unknown := peers.Look{Asked: 700 * ms, Answered: 5 * time.Second, State: peers.Unknown}
	for _, c := range []struct {
		name  string
		looks []peers.Look
		want  evidence.Survival
		known bool
	}{
		{"nothing", nil, evidence.Survival{}, false},
		{"no answer", []peers.Look{unknown}, evidence.Survival{}, false},
		{"between two looks", []peers.Look{held(100 * ms), letGo(900 * ms), unknown, held(500 * ms), letGo(2000 * ms)},
			evidence.Survival{Until: 910 * ms, Bound: 410 * ms}, true},
		{"at once", []peers.Look{letGo(100 * ms)}, evidence.Survival{Until: 110 * ms, Bound: 110 * ms}, true},
		{"never", []peers.Look{held(100 * ms), held(900 * ms)}, evidence.Survival{Until: 900 * ms, Censored: true}, true},
		{"connections differ", []peers.Look{letGo(100 * ms), held(500 * ms), letGo(900 * ms)},
			evidence.Survival{Until: 910 * ms, Bound: 410 * ms}, true},
		{"connections differ to the end", []peers.Look{letGo(100 * ms), held(500 * ms)},
			evidence.Survival{Until: 500 * ms, Censored: true}, true},
		{"held while it was asked", []peers.Look{held(500 * ms), letGo(495 * ms)},
			evidence.Survival{Until: 505 * ms, Bound: 5 * ms}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := evidence.Combine(c.looks)
			if got.Held != c.want || got.Observed != c.known || got.Observed != (got.Why == "") || got.SameClock() {
				t.Errorf("%+v", got)
			}
		})
	}
}
