package harness

import (
	"context"
	"errors"

	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/sockets"
)

// StartUnobserved is [Start] where nobody observes sockets.
func StartUnobserved(ctx context.Context, t *servers.Target, scenarios []*Scenario, o Options) (*Batch, error) {
	return start(ctx, t, scenarios, o, func() (*sockets.Observer, error) { return nil, errors.New("nobody looks") })
}
