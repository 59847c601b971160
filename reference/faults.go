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

// Fault is one named misbehaviour. Everything else about the server stays correct.
type Fault struct {
	Name   string
	Text   string   // what the server does, in one sentence
	Breaks []string // the ids of the rules that it is meant to break
}

// Faults lists the faults that show while the server runs, sorted by name.
func Faults() []Fault { return list(slices.Concat(faults(), controlFaults())) }

// StopFaults lists the faults that show when the server is asked to stop, sorted by
// name.
func StopFaults() []Fault { return list(stopFaults()) }

func list(faults []fault) []Fault {
	var list []Fault
	for _, f := range faults {
		list = append(list, f.Fault)
	}
	slices.SortFunc(list, func(a, b Fault) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// behaviour holds every decision that a fault can change. A fault replaces one or
// two of the functions.
type behaviour struct {
	Options
	onOpen          func(*conn) error                        // does the opening handshake
	onRefusal       func(c *conn, status []byte, whole bool) // sends the HTTP status; whole: the request was complete
	onSend          func(ws.Frame) []ws.Frame                // returns the frames to send in place of one frame
	onViolation     func(*conn, violation) verdict           // handles a violation by the peer
	onClose         func(c *conn, body []byte) error         // a valid Close frame came
	onPeerFIN       func(*conn)                              // FIN came without a Close frame
	onHandshakeDone func(*conn)                              // both Close frames have passed
	onTLSEnd        func(*conn)                              // TLS ends before TCP

	onAppClose   func(c *conn, code ws.StatusCode, reason string) error // the application closes the connection
	onTerminate  func(*conn) error                                      // the application ends the connection by RST
	onFill       func(c *conn, n int) error                             // the application sends n bytes
	onKick       func(c *conn, code ws.StatusCode, reason string)       // the application closes all other connections
	onWelcome    func(c *conn, command string) error                    // obeys the command in the URL
	onBytes      func(*conn)                                            // bytes came from the peer
	onCloseEvent func(*conn, CloseEvent)                                // reports the close event to the application

	onStopRequest func(*server, net.Listener) error // the server is asked to stop; Serve returns its error
	stopDeadline  func(Options) time.Time           // returns the absolute end of the shutdown
	onServerStop  func(*conn) error                 // closes a connection because the server stops
}

// newBehaviour returns the correct behaviour, changed by the fault that o names.
func newBehaviour(o Options) (behaviour, error) {
	b := behaviour{
		Options:         o.withDefaults(),
		onOpen:          (*conn).open,
		onRefusal:       (*conn).refuse,
		onSend:          func(f ws.Frame) []ws.Frame { return []ws.Frame{f} },
		onViolation:     (*conn).fail,
		onClose:         (*conn).answer,
		onPeerFIN:       (*conn).closeTCP,
		onHandshakeDone: (*conn).closeTCP,
		onTLSEnd:        (*conn).sendCloseNotify,

		onAppClose:   (*conn).closeForApp,
		onTerminate:  (*conn).terminate,
		onFill:       (*conn).fill,
		onKick:       (*conn).kickOthers,
		onWelcome:    (*conn).obeyOnOpen,
		onBytes:      func(*conn) {},
		onCloseEvent: func(c *conn, e CloseEvent) { c.closeEvents.add(c.token, e) },

		onStopRequest: func(_ *server, l net.Listener) error { _ = l.Close(); return nil },
		stopDeadline:  func(o Options) time.Time { return time.Now().Add(o.CloseTimeout) },
		onServerStop:  (*conn).sendGoingAway,
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
	return b, fmt.Errorf("fault %q is not known: give one of %s", o.Fault, strings.Join(names, " "))
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
		{Fault{"answer-late", "waits (Options.Late) before it answers a Close",
			[]string{"R2", "R8", "R13"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				pause(c.stop, c.Late)
				return c.answer(body)
			}
		}},
		{Fault{"ignores-close-in-message", "ignores a Close between the fragments of a message",
			[]string{"R1", "R8", "R11"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				if c.fragmented {
					return nil
				}
				return c.answer(body)
			}
		}},
		{Fault{"echo-after-close", "echoes for another 100 ms before it answers a Close",
			[]string{"R1", "R12"}}, func(b *behaviour) {
			b.onClose = func(c *conn, body []byte) error {
				if !c.deadline.IsZero() && !c.closeSent { // this is the second Close frame
					return nil
				}
				c.deadline = time.Now().Add(100 * time.Millisecond)
				if err := c.readFrames(); !errors.Is(err, errDeadline) {
					return err
				}
				c.deadline = time.Time{}
				return c.answer(body)
			}
		}},

		// The Close frame and what goes out around it.
		{Fault{"answer-1005", "puts 1005 into a Close that has no code",
			[]string{"R4", "R15"}}, ownClose(func(f ws.Frame) []ws.Frame {
			if len(f.Payload) == 0 {
				f = closeFrame(ws.StatusNoStatusRcvd, "")
			}
			return []ws.Frame{f}
		})},
		{Fault{"body-one-byte", "sends Close frames with a body of one byte",
			[]string{"R5", "R14", "R29", "R38"}}, ownClose(func(ws.Frame) []ws.Frame {
			return []ws.Frame{ws.NewCloseFrame([]byte{3})}
		})},
		{Fault{"close-bad-utf8", "sends Close frames with a reason that is not UTF-8",
			[]string{"R5", "R14"}}, ownClose(func(f ws.Frame) []ws.Frame {
			code, _ := parseClose(f.Payload)
			if code == ws.StatusNoStatusRcvd {
				code = ws.StatusNormalClosure
			}
			return []ws.Frame{closeFrame(code, "\xff\xfe")}
		})},
		{Fault{"close-fragmented", "sends Close frames with FIN=0",
			[]string{"R5"}}, ownClose(func(f ws.Frame) []ws.Frame {
			f.Header.Fin = false
			return []ws.Frame{f}
		})},
		{Fault{"masks-frames", "masks every frame", []string{"R5"}}, func(b *behaviour) {
			b.onSend = func(f ws.Frame) []ws.Frame { return []ws.Frame{ws.MaskFrame(f)} }
		}},
		{Fault{"data-after-close", "sends a text after its own Close",
			[]string{"R6", "R40"}}, ownClose(func(f ws.Frame) []ws.Frame {
			return []ws.Frame{f, ws.NewTextFrame([]byte("one more thing"))}
		})},
		{Fault{"two-closes", "sends every Close twice", []string{"R7"}}, ownClose(func(f ws.Frame) []ws.Frame {
			return []ws.Frame{f, f}
		})},

		// TCP after both Close frames.
		{Fault{"never-fin", "keeps TCP open forever after both Close frames",
			[]string{"R8", "R9", "R13", "R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onHandshakeDone = (*conn).holdUntilStop
		}},
		{Fault{"waits-for-fin", "waits forever for the peer to close TCP",
			[]string{"R8", "R9", "R13", "R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onHandshakeDone = func(c *conn) { c.drain(forever()) }
		}},
		{Fault{"fins-second", "waits 280 ms for the peer to close TCP first", []string{"R9"}}, func(b *behaviour) {
			b.onHandshakeDone = func(c *conn) {
				c.drain(time.Now().Add(280 * time.Millisecond))
				c.closeTCP()
			}
		}},
		{Fault{"fin-late", "waits for the close timeout before it closes TCP",
			[]string{"R8", "R9", "R13"}}, func(b *behaviour) {
			b.onHandshakeDone = func(c *conn) { c.drain(c.deadline) }
		}},
		{Fault{"no-drain", "closes the descriptor after its Close, even if unread bytes are left",
			[]string{"R10"}}, func(b *behaviour) {
			b.onHandshakeDone = func(*conn) {}
		}},
		{Fault{"drains-forever", "sends FIN, then waits for the peer's FIN without a limit",
			[]string{"R19", "R26", "R33"}}, func(b *behaviour) {
			b.onHandshakeDone = func(c *conn) {
				c.sendFIN()
				c.drain(forever())
			}
		}},
		{Fault{"fd-leak", "sends FIN, but never closes the descriptor",
			[]string{"R16", "R16-crowd", "R19", "R26", "R33"}}, func(b *behaviour) {
			b.onHandshakeDone = func(c *conn) {
				c.sendFIN()
				c.holdUntilStop()
			}
		}},

		{Fault{"no-close-notify", "sends FIN without a close_notify, under TLS",
			[]string{"R10-tls"}}, func(b *behaviour) {
			b.onTLSEnd = func(*conn) {}
		}},

		// Violations by the peer.
		{Fault{"silent-violation", "fails a connection without a Close", []string{"R27-send"}}, func(b *behaviour) {
			b.onViolation = func(*conn, violation) verdict { return fail }
		}},
		{Fault{"ignores-violation", "ignores a frame that violates the protocol",
			[]string{"R26", "R27-close", "R27-send", "R28-held", "R28-process", "R28-wait"}}, func(b *behaviour) {
			b.onViolation = func(*conn, violation) verdict { return skip }
		}},
		{Fault{"never-ends-violation", "sends a Close after a violation, but never closes TCP",
			[]string{"R16", "R26", "R27-close", "R28-held"}}, func(b *behaviour) {
			b.onViolation = func(c *conn, o violation) verdict {
				c.fail(o)
				c.holdUntilStop()
				return fail
			}
		}},
		{Fault{"waits-after-violation", "waits for an answer to the Close that it sent after a violation",
			[]string{"R28-wait"}}, func(b *behaviour) {
			b.onViolation = func(c *conn, o violation) verdict {
				c.fail(o)
				return skip
			}
		}},
		{Fault{"processes-after-violation", "echoes until the close timeout after the Close that it sent for a violation",
			[]string{"R6", "R7", "R28-process", "R28-wait"}}, func(b *behaviour) {
			b.onViolation = func(c *conn, o violation) verdict {
				if c.deadline.IsZero() {
					c.fail(o)
					c.closeSent = false
				}
				return skip
			}
		}},
		{Fault{"wrong-code", "fails a connection with 1000", []string{"R29"}}, func(b *behaviour) {
			b.onViolation = func(c *conn, o violation) verdict {
				return c.fail(violation{ws.StatusNormalClosure, o.err})
			}
		}},
		{Fault{"too-big-1011", "refuses a message over 128 KiB with 1011", []string{"R29-size"}}, func(b *behaviour) {
			b.MaxMessage = 128 << 10
			b.onViolation = func(c *conn, o violation) verdict {
				if o.code == ws.StatusMessageTooBig {
					o.code = ws.StatusInternalServerError
				}
				return c.fail(o)
			}
		}},
		{Fault{"ignores-bad-utf8", "echoes a text that is not UTF-8",
			[]string{"R26", "R27-close", "R28-held", "R28-process"}}, tolerates(errText)},
		{Fault{"accepts-unmasked", "accepts frames that are not masked",
			[]string{"R26", "R27-close", "R28-held", "R28-process", "R29"}}, tolerates(ws.ErrProtocolMaskRequired)},
		{Fault{"accepts-rsv", "accepts frames with reserved bits",
			[]string{"R26", "R27-close", "R28-held", "R28-process", "R29"}}, tolerates(ws.ErrProtocolNonZeroRsv)},
		{Fault{"echo-illegal-code", "answers a Close that has an illegal code with that code",
			[]string{"R15", "R29"}}, tolerates(errCloseCode)},
		{Fault{"accepts-bad-code", "answers a Close that has an illegal code with 1000",
			[]string{"R29"}}, func(b *behaviour) {
			tolerates(errCloseCode)(b)
			b.onClose = func(c *conn, body []byte) error {
				if code, _ := parseClose(body); len(body) > 0 && !sendable(code) {
					body = ws.NewCloseFrameBody(ws.StatusNormalClosure, "")
				}
				return c.answer(body)
			}
		}},
		{Fault{"stops-accepting", "opens no more connections after it received an illegal close code",
			[]string{"alive"}}, func(b *behaviour) {
			var refusing atomic.Bool
			b.onViolation = func(c *conn, o violation) verdict {
				refusing.CompareAndSwap(false, errors.Is(o.err, errCloseCode))
				return c.fail(o)
			}
			b.onOpen = func(c *conn) error {
				if refusing.Load() {
					c.holdUntilStop()
				}
				return c.open()
			}
		}},

		// TCP ends without a closing handshake, and faults of the opening handshake.
		{Fault{"close-wait", "keeps the descriptor when FIN comes without a Close",
			[]string{"R16", "R26", "R31", "R31-wire"}}, func(b *behaviour) {
			b.onPeerFIN = (*conn).holdUntilStop
		}},
		{Fault{"close-1006", "sends Close 1006 when FIN comes without a Close", []string{"R15"}}, func(b *behaviour) {
			b.onPeerFIN = func(c *conn) {
				_ = c.sendClose(ws.StatusAbnormalClosure, "")
				c.closeTCP()
			}
		}},
		{Fault{"no-ping", "never pings", []string{"R32-declared"}}, func(b *behaviour) {
			b.PingInterval = -1
		}},
		{Fault{"no-http-status", "closes TCP on a bad or late request without an HTTP status",
			[]string{"R30"}}, func(b *behaviour) {
			b.onRefusal = func(*conn, []byte, bool) {}
		}},
		{Fault{"keeps-half-request", "keeps a connection whose request is never completed",
			[]string{"R31", "R31-wire"}}, func(b *behaviour) {
			b.onRefusal = func(c *conn, status []byte, whole bool) {
				if !whole {
					c.holdUntilStop()
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

// tolerates accepts one kind of violation.
func tolerates(tolerated error) func(*behaviour) {
	return func(b *behaviour) {
		b.onViolation = func(c *conn, o violation) verdict {
			if errors.Is(o.err, tolerated) {
				return pass
			}
			return c.fail(o)
		}
	}
}

// holdUntilStop keeps the connection open and reads nothing until the server stops.
func (c *conn) holdUntilStop() { <-c.stop }

// forever is a deadline that only the end of the server shortens.
func forever() time.Time { return time.Now().Add(1 << 62) }
