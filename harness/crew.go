package harness

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errGaveWay ends a witness so that the server has room for the peers that are judged.
var errGaveWay = errors.New("it gave way, because the server took no more connections: lower --max-connections")

// crew are the witnesses that are connected, or about to be. Its zero value is empty, and stays so.
type crew struct {
	mu      sync.Mutex
	most    int
	lowered time.Time // when most was lowered, because the server took no more connections
	there   map[*context.CancelCauseFunc]bool
}

// join adds a witness, if there is room for it. Its context ends when it has to give way. It must
// leave.
func (c *crew) join(ctx context.Context) (witness context.Context, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.there) >= c.most {
		if !c.lowered.IsZero() {
			return nil, nil, errGaveWay
		}
		return nil, nil, errors.New("no connection was left for it: raise --max-connections")
	}
	witness, cancel := context.WithCancelCause(ctx)
	c.there[&cancel] = true
	return witness, func() {
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.there, &cancel)
	}, nil
}

// giveWay is called when the server did not take a connection that began at the time. It tells
// whether it may take it now: every second witness that was there has to leave, and no others
// take their places.
func (c *crew) giveWay(began time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if began.Before(c.lowered) { // it began beside those that have left since
		return true
	}
	if len(c.there) == 0 {
		return false
	}
	c.most, c.lowered = len(c.there)/2, time.Now()
	left := len(c.there)
	for cancel := range c.there {
		if left > c.most {
			(*cancel)(errGaveWay)
			left--
		}
	}
	return true
}

// note tells the reader of the results that witnesses gave way. It is empty if none did.
func (c *crew) note() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lowered.IsZero() {
		return ""
	}
	return "the server did not take the connections of all peers that ask on the wire beside those that are judged, " +
		"and so some of them gave way: give a lower --max-connections"
}
