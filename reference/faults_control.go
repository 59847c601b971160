package reference

import (
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// controlFaults are faults in the closes that the application starts, and in the
// close events that it receives.
func controlFaults() []fault {
	return []fault{
		// Closes that the application starts.
		{Fault{"ignores-app-code", "closes with 1000, whatever code the application chose",
			[]string{"R14", "R38"}}, func(b *behaviour) {
			b.onAppClose = func(c *conn, _ ws.StatusCode, _ string) error { return c.sendClose(ws.StatusNormalClosure, "") }
		}},
		{Fault{"sends-refused-code", "sends any code that the application asks for",
			[]string{"R15"}}, func(b *behaviour) {
			b.onAppClose = (*conn).sendClose
		}},
		{Fault{"no-close-timeout", "waits without a limit for the answer to a Close that the application started",
			[]string{"R16", "R16-crowd", "R17", "R18", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onAppClose = func(c *conn, code ws.StatusCode, reason string) error {
				err := c.closeForApp(code, reason)
				c.deadline = forever()
				return err
			}
		}},
		{Fault{"deadline-restarts", "restarts the close timeout whenever bytes come",
			[]string{"R17", "R26"}}, func(b *behaviour) {
			b.onBytes = func(c *conn) {
				if c.opened && !c.deadline.IsZero() {
					c.deadline = time.Now().Add(c.CloseTimeout)
				}
			}
		}},
		{Fault{"blocked-by-fill", "waits without a limit while it writes to a peer that does not read",
			[]string{"R18", "R26"}}, func(b *behaviour) {
			b.onFill = func(c *conn, n int) error {
				c.filling.Go(func() { c.fillMessage(n, 1<<62) })
				return nil
			}
		}},
		{Fault{"slow-terminate", "waits for the close timeout before it kills a connection",
			[]string{"R20"}}, func(b *behaviour) {
			b.onTerminate = func(c *conn) error {
				pause(c.stop, c.CloseTimeout)
				return c.terminate()
			}
		}},
		{Fault{"kicks-half", "skips every second connection in a kick of all",
			[]string{"R16-crowd", "R38"}}, func(b *behaviour) {
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
		{Fault{"one-ends-all", "ends every connection at the first violation on one of them",
			[]string{"R39"}}, func(b *behaviour) {
			var once sync.Once
			b.onViolation = func(c *conn, o violation) verdict {
				once.Do(func() { c.kickOthers(ws.StatusInternalServerError, "") })
				return c.fail(o)
			}
		}},
		{Fault{"close-overtakes", "drops the text that the application sent before it closed",
			[]string{"R40"}}, func(b *behaviour) {
			b.onWelcome = (*conn).obey
		}},

		// Close events.
		{Fault{"event-wrong-code", "reports the next higher code to the application",
			[]string{"R21", "R21-crowd"}}, changesCloseEvent(func(c *conn, e CloseEvent) CloseEvent {
			if c.receivedClose != nil && len(*c.receivedClose) > 0 {
				e.Code++
			}
			return e
		})},
		{Fault{"event-no-code-1000", "reports 1000 to the application for a Close without a code",
			[]string{"R22"}}, changesCloseEvent(func(_ *conn, e CloseEvent) CloseEvent {
			if e.Code == int(ws.StatusNoStatusRcvd) {
				e.Code = int(ws.StatusNormalClosure)
			}
			return e
		})},
		{Fault{"event-lost-1000", "reports 1000 to the application if no Close came",
			[]string{"R23", "R23-crowd"}}, changesCloseEvent(func(_ *conn, e CloseEvent) CloseEvent {
			if e.Code == int(ws.StatusAbnormalClosure) {
				e.Code = int(ws.StatusNormalClosure)
			}
			return e
		})},
		{Fault{"event-always-clean", "reports every close to the application as clean",
			[]string{"R24"}}, changesCloseEvent(func(_ *conn, e CloseEvent) CloseEvent {
			e.Clean = true
			return e
		})},
		{Fault{"event-twice", "reports every close to the application twice, the second time 300 ms later",
			[]string{"R25", "R25-crowd"}}, func(b *behaviour) {
			b.onCloseEvent = func(c *conn, e CloseEvent) {
				c.closeEvents.add(c.token, e)
				pause(c.stop, 300*time.Millisecond)
				c.closeEvents.add(c.token, e)
			}
		}},
		{Fault{"event-missing", "does not report a lost connection to the application",
			[]string{"R25", "R25-crowd"}}, func(b *behaviour) {
			b.onCloseEvent = func(c *conn, e CloseEvent) {
				if c.receivedClose != nil {
					c.closeEvents.add(c.token, e)
				}
			}
		}},
		{Fault{"event-late", "reports a close to the application three times Options.Late later",
			[]string{"R26"}}, func(b *behaviour) {
			b.onCloseEvent = func(c *conn, e CloseEvent) {
				pause(c.stop, 3*c.Late)
				e.At = time.Now().UTC()
				c.closeEvents.add(c.token, e)
			}
		}},
	}
}

// changesCloseEvent changes every close event.
func changesCloseEvent(change func(*conn, CloseEvent) CloseEvent) func(*behaviour) {
	return func(b *behaviour) {
		b.onCloseEvent = func(c *conn, e CloseEvent) { c.closeEvents.add(c.token, change(c, e)) }
	}
}
