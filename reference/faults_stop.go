package reference

import (
	"errors"
	"net"
	"time"

	"github.com/gobwas/ws"
)

// stopFaults are the faults of a server that is asked to stop.
func stopFaults() []fault {
	return []fault{
		{Fault{"stop-cuts", "cuts its connections when it stops, without a Close", []string{"R34"}}, func(b *behaviour) {
			b.onLeave = func(*conn) error { return errTerminated }
		}},
		{Fault{"stop-code-1000", "tells its peers 1000 when it stops", []string{"R34-code"}}, func(b *behaviour) {
			b.onLeave = func(c *conn) error {
				c.limit = c.server.limit
				return c.send(closeFrame(ws.StatusNormalClosure, ""))
			}
		}},
		{Fault{"stop-waits", "waits for its peers without limit when it stops", []string{"R35"}}, func(b *behaviour) {
			b.onLimit = func(Options) time.Time { return forever() }
		}},
		{Fault{"stop-fails", "ends with an error when it stops", []string{"R36"}}, func(b *behaviour) {
			b.onStop = func(_ *server, l net.Listener) error {
				_ = l.Close()
				return errors.New("the server stopped with an error, as it was told to")
			}
		}},
		{Fault{"stop-forgets", "goes on accepting while it stops, and answers nobody", []string{"R37"}}, func(b *behaviour) {
			b.onStop = func(s *server, _ net.Listener) error {
				s.group.Go(func() { pause(nil, s.CloseTimeout) }) // so long it is there
				return nil
			}
			b.onOpen = func(c *conn) error {
				if c.stopping() {
					pause(nil, time.Until(c.server.limit))
					return errTerminated
				}
				return c.open()
			}
		}},
	}
}
