package reference

import (
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// controlFaults are the faults of the server's half: closes that its
// application starts, and what it is told.
func controlFaults() []fault {
	return []fault{
		// Closes that the application starts.
		{Fault{"ignores-app-code", "closes with 1000 whatever code the application chose", []string{"R14", "R38"}}, func(b *behaviour) {
			b.onAsk = func(c *conn, _ ws.StatusCode, _ string) error { return c.sendClose(ws.StatusNormalClosure, "") }
		}},
		{Fault{"sends-refused-code", "puts any code on the wire that the application asks for", []string{"R15"}}, func(b *behaviour) {
			b.onAsk = (*conn).sendClose
		}},
		{Fault{"no-close-timeout", "waits without limit for the answer to a Close of the application", []string{"R16", "R16-crowd", "R17", "R18", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onAsk = func(c *conn, code ws.StatusCode, reason string) error {
				err := c.ask(code, reason)
				c.limit = forever()
				return err
			}
		}},
		{Fault{"deadline-restarts", "starts the close timeout anew whenever bytes come", []string{"R17", "R26"}}, func(b *behaviour) {
			b.onHeard = func(c *conn) {
				if c.opened && !c.limit.IsZero() {
					c.limit = time.Now().Add(c.CloseTimeout)
				}
			}
		}},
		{Fault{"blocked-by-fill", "writes a frame to a peer that does not read without limit", []string{"R18", "R26"}}, func(b *behaviour) {
			b.onFill = func(c *conn, n int) error {
				c.filling.Go(func() { c.fillOne(n, 1<<62) })
				return nil
			}
		}},
		{Fault{"slow-terminate", "lets the close timeout pass before it kills a connection", []string{"R20"}}, func(b *behaviour) {
			b.onTerminate = func(c *conn) error {
				pause(c.stop, c.CloseTimeout)
				return c.terminate()
			}
		}},
		{Fault{"kicks-half", "passes over every second connection in a kick of all", []string{"R16-crowd", "R38"}}, func(b *behaviour) {
			b.onKick = func(c *conn, code ws.StatusCode, reason string) {
				c.conns.Range(func(other, _ any) bool {
					if o := other.(*conn); o != c && o.id%2 == 0 {
						o.kicked.Store(&kick{code, reason})
						o.wake()
					}
					return true
				})
			}
		}},
		{Fault{"one-ends-all", "ends every connection at the first offence of one", []string{"R39"}}, func(b *behaviour) {
			var once sync.Once
			b.onOffence = func(c *conn, o offence) verdict {
				once.Do(func() { c.kickOthers(ws.StatusInternalServerError, "") })
				return c.fail(o)
			}
		}},
		{Fault{"close-overtakes", "drops the text that the application sent before it closed", []string{"R40"}}, func(b *behaviour) {
			b.onWelcome = (*conn).obey
		}},

		// What the application is told.
		{Fault{"event-wrong-code", "tells the application the next code", []string{"R21", "R21-crowd"}}, tells(func(c *conn, e CloseEvent) CloseEvent {
			if c.received != nil && len(*c.received) > 0 {
				e.Code++
			}
			return e
		})},
		{Fault{"event-no-code-1000", "tells the application 1000 for a Close without a code", []string{"R22"}}, tells(func(_ *conn, e CloseEvent) CloseEvent {
			if e.Code == int(ws.StatusNoStatusRcvd) {
				e.Code = int(ws.StatusNormalClosure)
			}
			return e
		})},
		{Fault{"event-lost-1000", "tells the application 1000 where no Close came", []string{"R23", "R23-crowd"}}, tells(func(_ *conn, e CloseEvent) CloseEvent {
			if e.Code == int(ws.StatusAbnormalClosure) {
				e.Code = int(ws.StatusNormalClosure)
			}
			return e
		})},
		{Fault{"event-always-clean", "tells the application that every close was clean", []string{"R24"}}, tells(func(_ *conn, e CloseEvent) CloseEvent {
			e.Clean = true
			return e
		})},
		{Fault{"event-twice", "tells the application every close twice, the second time 300 ms later", []string{"R25", "R25-crowd"}}, func(b *behaviour) {
			b.onEvent = func(c *conn, e CloseEvent) {
				c.told.add(c.token, e)
				pause(c.stop, 300*time.Millisecond)
				c.told.add(c.token, e)
			}
		}},
		{Fault{"event-missing", "does not tell the application of a connection that was lost", []string{"R25", "R25-crowd"}}, func(b *behaviour) {
			b.onEvent = func(c *conn, e CloseEvent) {
				if c.received != nil {
					c.told.add(c.token, e)
				}
			}
		}},
		{Fault{"event-late", "tells the application of a close (three times Options.Late) later", []string{"R26"}}, func(b *behaviour) {
			b.onEvent = func(c *conn, e CloseEvent) {
				pause(c.stop, 3*c.Late)
				e.At = time.Now().UTC()
				c.told.add(c.token, e)
			}
		}},
	}
}

// tells changes every close event.
func tells(change func(*conn, CloseEvent) CloseEvent) func(*behaviour) {
	return func(b *behaviour) {
		b.onEvent = func(c *conn, e CloseEvent) { c.told.add(c.token, change(c, e)) }
	}
}
