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
		{Fault{"stop-cuts", "ends its connections without a Close when it stops", []string{"R34"}}, func(b *behaviour) {
			b.onServerStop = func(*conn) error { return errTerminated }
		}},
		{Fault{"stop-code-1000", "closes with 1000 when it stops", []string{"R34-code"}}, func(b *behaviour) {
			b.onServerStop = func(c *conn) error {
				c.deadline = c.server.deadline
				return c.send(closeFrame(ws.StatusNormalClosure, ""))
			}
		}},
		{Fault{"stop-waits", "waits for its peers without a limit when it stops", []string{"R35"}}, func(b *behaviour) {
			b.stopDeadline = func(Options) time.Time { return forever() }
		}},
		{Fault{"stop-fails", "ends with an error when it stops", []string{"R36"}}, func(b *behaviour) {
			b.onStopRequest = func(_ *server, l net.Listener) error {
				_ = l.Close()
				return errors.New("the server stopped with an error, because of its fault")
			}
		}},
		{Fault{"stop-forgets", "accepts connections while it stops, and answers none of them",
			[]string{"R37"}}, func(b *behaviour) {
			b.onStopRequest = func(s *server, _ net.Listener) error {
				s.group.Go(func() { pause(nil, s.CloseTimeout) }) // keeps the process running
				return nil
			}
			b.onOpen = func(c *conn) error {
				if c.stopping() {
					pause(nil, time.Until(c.server.deadline))
					return errTerminated
				}
				return c.open()
			}
		}},
	}
}
