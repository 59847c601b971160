package reference

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// Fault is one way to be wrong. Everything else about the server stays right.
type Fault struct {
	Name   string
	Text   string   // what the server does, in one sentence
	Breaks []string // the ids of the rules that it is meant to break
}

// Faults lists those that show while the server runs, sorted by name.
func Faults() []Fault { return list(slices.Concat(faults(), controlFaults())) }

// StopFaults lists those that show when it is asked to stop, sorted by name.
func StopFaults() []Fault { return list(stopFaults()) }

func list(faults []fault) []Fault {
	var list []Fault
	for _, f := range faults {
		list = append(list, f.Fault)
	}
	slices.SortFunc(list, func(a, b Fault) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// behaviour is what the server does where it could be wrong. A fault replaces
// one of these, at most two.
type behaviour struct {
	Options
	onOpen    func(*conn) error                        // takes the opening handshake
	onRefusal func(c *conn, status []byte, whole bool) // sends the HTTP status; whole: the request was not cut
	onSend    func(ws.Frame) []ws.Frame                // what goes out for one frame
	onOffence func(*conn, offence) verdict             // tells the peer, or does not
	onClose   func(c *conn, body []byte) error         // a Close that may be sent came
	onGone    func(*conn)                              // FIN came without a Close
	onEnd     func(*conn)                              // the peer's Close came, the own is sent
	onNotify  func(*conn)                              // TLS ends before TCP

	onAsk       func(c *conn, code ws.StatusCode, reason string) error // the application closes
	onTerminate func(*conn) error                                      // the application kills
	onFill      func(c *conn, n int) error                             // the application sends much
	onKick      func(c *conn, code ws.StatusCode, reason string)       // the application closes all others
	onWelcome   func(c *conn, command string) error                    // a connection opened with a command
	onHeard     func(*conn)                                            // bytes came
	onEvent     func(*conn, CloseEvent)                                // the descriptor is released

	onStop  func(*server, net.Listener) error // the server is asked to stop; its error is that of Serve
	onLimit func(Options) time.Time           // gives the absolute end of the shutdown
	onLeave func(*conn) error                 // a connection learns of it
}

// behave gives the right behaviour, with the fault that o names.
func behave(o Options) (behaviour, error) {
	b := behaviour{
		Options:   o.withDefaults(),
		onOpen:    (*conn).open,
		onRefusal: (*conn).refuse,
		onSend:    func(f ws.Frame) []ws.Frame { return []ws.Frame{f} },
		onOffence: (*conn).fail,
		onClose:   (*conn).answer,
		onGone:    (*conn).end,
		onEnd:     (*conn).end,
		onNotify:  (*conn).notify,

		onAsk:       (*conn).ask,
		onTerminate: (*conn).terminate,
		onFill:      (*conn).fill,
		onKick:      (*conn).kickOthers,
		onWelcome:   (*conn).welcome,
		onHeard:     func(*conn) {},
		onEvent:     func(c *conn, e CloseEvent) { c.told.add(c.token, e) },

		onStop:  func(_ *server, l net.Listener) error { _ = l.Close(); return nil },
		onLimit: func(o Options) time.Time { return time.Now().Add(o.CloseTimeout) },
		onLeave: (*conn).leave,
	}
	var names []string
	for _, f := range slices.Concat(faults(), controlFaults(), stopFaults()) {
		if f.Name == o.Fault {
			f.set(&b)
			return b, nil
		}
		names = append(names, f.Name)
	}
	if o.Fault == "" {
		return b, nil
	}
	return b, fmt.Errorf("fault %q is not known; known are %s", o.Fault, strings.Join(names, " "))
}

type fault struct {
	Fault
	set func(*behaviour)
}

func faults() []fault {
	return []fault{
		// The answer to a Close.
		{Fault{"no-answer", "closes TCP on a Close without answering it", []string{"R1", "R11"}}, func(b *behaviour) {
			b.onClose = func(*conn, []byte) error { return errAnswered }
		}},
		{Fault{"answer-late", "waits (Options.Late) before it answers a Close", []string{"R2", "R8", "R13"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				pause(c.stop, c.Late)
				return c.answer(body)
			}
		}},
		{Fault{"ignores-close-in-message", "ignores a Close between the fragments of a message", []string{"R1", "R8", "R11"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				if c.fragmented {
					return nil
				}
				return c.answer(body)
			}
		}},
		{Fault{"echo-after-close", "goes on echoing for 100 ms before it answers a Close", []string{"R1", "R12"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				if !c.limit.IsZero() && !c.closed { // a second Close
					return nil
				}
				c.limit = time.Now().Add(100 * time.Millisecond)
				if err := c.talk(); !errors.Is(err, errLimit) {
					return err
				}
				c.limit = time.Time{}
				return c.answer(body)
			}
		}},

		// The Close frame and what goes out around it.
		{Fault{"answer-1005", "puts 1005 into a Close that has no code", []string{"R4", "R15"}}, ownClose(func(f ws.Frame) []ws.Frame {
			if len(f.Payload) == 0 {
				f = closeFrame(ws.StatusNoStatusRcvd, "")
			}
			return []ws.Frame{f}
		})},
		{Fault{"body-one-byte", "sends Close frames with a body of one byte", []string{"R5", "R14", "R29", "R38"}}, ownClose(func(ws.Frame) []ws.Frame {
			return []ws.Frame{ws.NewCloseFrame([]byte{3})}
		})},
		{Fault{"close-bad-utf8", "sends Close frames with a reason that is not UTF-8", []string{"R5", "R14"}}, ownClose(func(f ws.Frame) []ws.Frame {
			code, _ := parseClose(f.Payload)
			if code == ws.StatusNoStatusRcvd {
				code = ws.StatusNormalClosure
			}
			return []ws.Frame{closeFrame(code, "\xff\xfe")}
		})},
		{Fault{"close-fragmented", "sends Close frames with FIN=0", []string{"R5"}}, ownClose(func(f ws.Frame) []ws.Frame {
			f.Header.Fin = false
			return []ws.Frame{f}
		})},
		{Fault{"masks-frames", "masks every frame", []string{"R5"}}, func(b *behaviour) {
			b.onSend = func(f ws.Frame) []ws.Frame { return []ws.Frame{ws.MaskFrame(f)} }
		}},
		{Fault{"data-after-close", "sends a text behind its own Close", []string{"R6", "R40"}}, ownClose(func(f ws.Frame) []ws.Frame {
			return []ws.Frame{f, ws.NewTextFrame([]byte("one more thing"))}
		})},
		{Fault{"two-closes", "sends every Close twice", []string{"R7"}}, ownClose(func(f ws.Frame) []ws.Frame {
			return []ws.Frame{f, f}
		})},

		// TCP after both Close frames.
		{Fault{"never-fin", "keeps TCP open after both Close frames, for ever", []string{"R8", "R9", "R13", "R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onEnd = (*conn).park
		}},
		{Fault{"waits-for-fin", "leaves it to the peer to close TCP, for ever", []string{"R8", "R9", "R13", "R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onEnd = func(c *conn) { c.drain(forever()) }
		}},
		{Fault{"fins-second", "leaves it to the peer to close TCP for 280 ms", []string{"R9"}}, func(b *behaviour) {
			b.onEnd = func(c *conn) {
				c.drain(time.Now().Add(280 * time.Millisecond))
				c.end()
			}
		}},
		{Fault{"fin-late", "lets the close timeout pass before it closes TCP", []string{"R8", "R9", "R13"}}, func(b *behaviour) {
			b.onEnd = func(c *conn) { c.drain(c.limit) }
		}},
		{Fault{"no-drain", "closes the descriptor behind its Close, whatever is still unread", []string{"R10"}}, func(b *behaviour) {
			b.onEnd = func(*conn) {}
		}},
		{Fault{"drains-forever", "sends FIN, then waits for the peer's without limit", []string{"R19", "R26", "R33"}}, func(b *behaviour) {
			b.onEnd = func(c *conn) {
				c.fin()
				c.drain(forever())
			}
		}},
		{Fault{"fd-leak", "sends FIN, but never closes the descriptor", []string{"R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onEnd = func(c *conn) {
				c.fin()
				c.park()
			}
		}},

		{Fault{"no-close-notify", "serving TLS, sends FIN without a close_notify", []string{"R10-tls"}}, func(b *behaviour) {
			b.onNotify = func(*conn) {}
		}},

		// Offences of the peer.
		{Fault{"silent-violation", "fails a connection without a Close", []string{"R27-send"}}, func(b *behaviour) {
			b.onOffence = func(*conn, offence) verdict { return fail }
		}},
		{Fault{"ignores-violation", "passes over an offending frame", []string{"R26", "R27-close", "R27-send", "R28-held", "R28-process", "R28-wait"}}, func(b *behaviour) {
			b.onOffence = func(*conn, offence) verdict { return skip }
		}},
		{Fault{"never-ends-violation", "sends Close on an offence, but never closes TCP", []string{"R16", "R26", "R27-close", "R28-held"}}, func(b *behaviour) {
			b.onOffence = func(c *conn, o offence) verdict {
				c.fail(o)
				c.park()
				return fail
			}
		}},
		{Fault{"waits-after-violation", "waits for an answer to the Close that it sent on an offence", []string{"R28-wait"}}, func(b *behaviour) {
			b.onOffence = func(c *conn, o offence) verdict {
				c.fail(o)
				return skip
			}
		}},
		{Fault{"processes-after-violation", "goes on echoing behind the Close that it sent on an offence, until the close timeout", []string{"R6", "R7", "R28-process", "R28-wait"}}, func(b *behaviour) {
			b.onOffence = func(c *conn, o offence) verdict {
				if c.limit.IsZero() {
					c.fail(o)
					c.closed = false
				}
				return skip
			}
		}},
		{Fault{"wrong-code", "fails a connection with 1000", []string{"R29"}}, func(b *behaviour) {
			b.onOffence = func(c *conn, o offence) verdict {
				return c.fail(offence{ws.StatusNormalClosure, o.err})
			}
		}},
		{Fault{"too-big-1011", "refuses a message over 128 KiB with 1011", []string{"R29-size"}}, func(b *behaviour) {
			b.MaxMessage = 128 << 10
			b.onOffence = func(c *conn, o offence) verdict {
				if o.code == ws.StatusMessageTooBig {
					o.code = ws.StatusInternalServerError
				}
				return c.fail(o)
			}
		}},
		{Fault{"ignores-bad-utf8", "echoes a text that is not UTF-8", []string{"R26", "R27-close", "R28-held", "R28-process"}}, passes(errText)},
		{Fault{"accepts-unmasked", "takes frames that are not masked", []string{"R26", "R27-close", "R28-held", "R28-process", "R29"}}, passes(ws.ErrProtocolMaskRequired)},
		{Fault{"accepts-rsv", "takes frames with reserved bits", []string{"R26", "R27-close", "R28-held", "R28-process", "R29"}}, passes(ws.ErrProtocolNonZeroRsv)},
		{Fault{"echo-illegal-code", "answers a Close that has an illegal code with that code", []string{"R15", "R29"}}, passes(errCloseCode)},
		{Fault{"accepts-bad-code", "answers a Close that has an illegal code with 1000", []string{"R29"}}, func(b *behaviour) {
			passes(errCloseCode)(b)
			b.onClose = func(c *conn, body []byte) error {
				if code, _ := parseClose(body); len(body) > 0 && !sendable(code) {
					body = ws.NewCloseFrameBody(ws.StatusNormalClosure, "")
				}
				return c.answer(body)
			}
		}},
		{Fault{"stops-accepting", "opens no connection any more once it received an illegal close code", []string{"alive"}}, func(b *behaviour) {
			var deaf atomic.Bool
			b.onOffence = func(c *conn, o offence) verdict {
				deaf.CompareAndSwap(false, errors.Is(o.err, errCloseCode))
				return c.fail(o)
			}
			b.onOpen = func(c *conn) error {
				if deaf.Load() {
					c.park()
				}
				return c.open()
			}
		}},

		// TCP without a closing handshake, and the opening one.
		{Fault{"close-wait", "keeps the descriptor when FIN comes without a Close", []string{"R16", "R26", "R31", "R31-wire"}}, func(b *behaviour) {
			b.onGone = (*conn).park
		}},
		{Fault{"close-1006", "sends Close 1006 when FIN comes without a Close", []string{"R15"}}, func(b *behaviour) {
			b.onGone = func(c *conn) {
				_ = c.sendClose(ws.StatusAbnormalClosure, "")
				c.end()
			}
		}},
		{Fault{"no-ping", "never pings", []string{"R32-declared"}}, func(b *behaviour) {
			b.PingInterval = -1
		}},
		{Fault{"no-http-status", "closes TCP on a bad or late request without an HTTP status", []string{"R30"}}, func(b *behaviour) {
			b.onRefusal = func(*conn, []byte, bool) {}
		}},
		{Fault{"keeps-half-request", "keeps a connection whose request never became whole", []string{"R31", "R31-wire"}}, func(b *behaviour) {
			b.onRefusal = func(c *conn, status []byte, whole bool) {
				if !whole {
					c.park()
				}
				c.refuse(status, whole)
			}
		}},
	}
}

// ownClose changes every Close that the server sends.
func ownClose(change func(ws.Frame) []ws.Frame) func(*behaviour) {
	return func(b *behaviour) {
		b.onSend = func(f ws.Frame) []ws.Frame {
			if f.Header.OpCode == ws.OpClose {
				return change(f)
			}
			return []ws.Frame{f}
		}
	}
}

// passes takes one kind of offence for right.
func passes(tolerated error) func(*behaviour) {
	return func(b *behaviour) {
		b.onOffence = func(c *conn, o offence) verdict {
			if errors.Is(o.err, tolerated) {
				return pass
			}
			return c.fail(o)
		}
	}
}

// park holds the connection, unread, until the server stops.
func (c *conn) park() { <-c.stop }

// forever is a limit that only the end of the server shortens.
func forever() time.Time { return time.Now().Add(1 << 62) }
