package harness

import (
	"context"

	"github.com/finwait/finwait/servers"
)

// StartUnobserved is [Start] where nobody observes sockets.
func StartUnobserved(ctx context.Context, t *servers.Target, scenarios []*Scenario, o Options) (*Batch, error) {
	return start(ctx, t, scenarios, o, func(context.Context, *servers.Target, WitnessMode) (observers, error) {
		return observers{notObserved: "nobody looks"}, nil
	})
}
