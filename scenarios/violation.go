package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// offence is something for which the server must fail the connection.
type offence struct {
	answers, ignores, keepsSending, vanishes string // the ids of its scenarios

	title  string
	frames []peers.Frame // sent in one write
	code   rules.Rule
}

func offences() []offence {
	continuation := func(s string) peers.Frame { return peers.Frame{Opcode: peers.OpContinuation, Payload: []byte(s)} }
	protocol := func(section string) rules.Rule { return rules.FailureCode("RFC 6455, "+section, 1002) }
	notUTF8 := rules.FailureCode("RFC 6455, 8.1", 1007)
	return []offence{
		{
			"violation/unmasked/answers", "violation/unmasked/ignores",
			"violation/unmasked/keeps-sending", "violation/unmasked/vanishes",
			"sends an unmasked text message",
			[]peers.Frame{{Opcode: peers.OpText, Payload: []byte("hello"), Unmasked: true}}, protocol("5.1"),
		},
		{
			"violation/opcode-3/answers", "violation/opcode-3/ignores",
			"violation/opcode-3/keeps-sending", "violation/opcode-3/vanishes",
			"sends a frame with the reserved opcode 3",
			[]peers.Frame{{Opcode: 3, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-4/answers", "violation/opcode-4/ignores",
			"violation/opcode-4/keeps-sending", "violation/opcode-4/vanishes",
			"sends a frame with the reserved opcode 4",
			[]peers.Frame{{Opcode: 4, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-5/answers", "violation/opcode-5/ignores",
			"violation/opcode-5/keeps-sending", "violation/opcode-5/vanishes",
			"sends a frame with the reserved opcode 5",
			[]peers.Frame{{Opcode: 5, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-6/answers", "violation/opcode-6/ignores",
			"violation/opcode-6/keeps-sending", "violation/opcode-6/vanishes",
			"sends a frame with the reserved opcode 6",
			[]peers.Frame{{Opcode: 6, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-7/answers", "violation/opcode-7/ignores",
			"violation/opcode-7/keeps-sending", "violation/opcode-7/vanishes",
			"sends a frame with the reserved opcode 7",
			[]peers.Frame{{Opcode: 7, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-11/answers", "violation/opcode-11/ignores",
			"violation/opcode-11/keeps-sending", "violation/opcode-11/vanishes",
			"sends a frame with the reserved opcode 11",
			[]peers.Frame{{Opcode: 11, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-12/answers", "violation/opcode-12/ignores",
			"violation/opcode-12/keeps-sending", "violation/opcode-12/vanishes",
			"sends a frame with the reserved opcode 12",
			[]peers.Frame{{Opcode: 12, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-13/answers", "violation/opcode-13/ignores",
			"violation/opcode-13/keeps-sending", "violation/opcode-13/vanishes",
			"sends a frame with the reserved opcode 13",
			[]peers.Frame{{Opcode: 13, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-14/answers", "violation/opcode-14/ignores",
			"violation/opcode-14/keeps-sending", "violation/opcode-14/vanishes",
			"sends a frame with the reserved opcode 14",
			[]peers.Frame{{Opcode: 14, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/opcode-15/answers", "violation/opcode-15/ignores",
			"violation/opcode-15/keeps-sending", "violation/opcode-15/vanishes",
			"sends a frame with the reserved opcode 15",
			[]peers.Frame{{Opcode: 15, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/rsv1/answers", "violation/rsv1/ignores",
			"violation/rsv1/keeps-sending", "violation/rsv1/vanishes",
			"sends a text message with RSV1 set although no extension was negotiated",
			[]peers.Frame{{Opcode: peers.OpText, RSV: 4, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/rsv2/answers", "violation/rsv2/ignores",
			"violation/rsv2/keeps-sending", "violation/rsv2/vanishes",
			"sends a text message with RSV2 set although no extension was negotiated",
			[]peers.Frame{{Opcode: peers.OpText, RSV: 2, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/rsv3/answers", "violation/rsv3/ignores",
			"violation/rsv3/keeps-sending", "violation/rsv3/vanishes",
			"sends a text message with RSV3 set although no extension was negotiated",
			[]peers.Frame{{Opcode: peers.OpText, RSV: 1, Payload: []byte("hello")}}, protocol("5.2"),
		},
		{
			"violation/ping-126/answers", "violation/ping-126/ignores",
			"violation/ping-126/keeps-sending", "violation/ping-126/vanishes",
			"sends a Ping of 126 bytes",
			[]peers.Frame{peers.Ping(strings.Repeat("p", 126))}, protocol("5.5 (1002 by convention)"),
		},
		{
			"violation/ping-fragmented/answers", "violation/ping-fragmented/ignores",
			"violation/ping-fragmented/keeps-sending", "violation/ping-fragmented/vanishes",
			"sends a Ping with the FIN bit clear",
			[]peers.Frame{{Opcode: peers.OpPing, Part: true, Payload: []byte("p")}}, protocol("5.5 (1002 by convention)"),
		},
		{
			"violation/stray-continuation/answers", "violation/stray-continuation/ignores",
			"violation/stray-continuation/keeps-sending", "violation/stray-continuation/vanishes",
			"sends a continuation frame outside a message",
			[]peers.Frame{continuation("hello")}, protocol("5.4 (1002 by convention)"),
		},
		{
			"violation/text-in-message/answers", "violation/text-in-message/ignores",
			"violation/text-in-message/keeps-sending", "violation/text-in-message/vanishes",
			"sends a text frame inside a fragmented message",
			[]peers.Frame{fragment("hel"), peers.Text("lo")}, protocol("5.4 (1002 by convention)"),
		},
		{
			"violation/bad-utf8/answers", "violation/bad-utf8/ignores",
			"violation/bad-utf8/keeps-sending", "violation/bad-utf8/vanishes",
			"sends a text message that is not valid UTF-8",
			[]peers.Frame{peers.Text("\xce\xba\xff")}, notUTF8,
		},
		{
			"violation/bad-utf8-fragmented/answers", "violation/bad-utf8-fragmented/ignores",
			"violation/bad-utf8-fragmented/keeps-sending", "violation/bad-utf8-fragmented/vanishes",
			"sends a text message that is invalid UTF-8 across the boundary of its two fragments",
			[]peers.Frame{fragment("\xce"), continuation("\xff")}, notUTF8,
		},
		{
			"violation/length-msb/answers", "violation/length-msb/ignores",
			"violation/length-msb/keeps-sending", "violation/length-msb/vanishes",
			"sends a frame whose 64-bit length has its most significant bit set",
			[]peers.Frame{{Opcode: peers.OpText, Wide: true, Announce: 1<<63 | 5, Payload: []byte("hello")}},
			rules.FailureCode("RFC 6455, 5.2 (1002, or 1009 for a size)", 1002, 1009),
		},
	}
}

// Violation crosses every offence with the ways in which a peer takes the server's
// Close frame.
func Violation() (out []*harness.Scenario) {
	const every = 100 * time.Millisecond
	for _, o := range offences() {
		offend := peers.Send(o.frames)
		// The text is the offence's own: a server that relays what other peers send must
		// not seem to answer this one.
		more := late + ": " + strings.Split(o.answers, "/")[1]
		// The next frame goes out in the same write: in a write of its own it might arrive
		// together with the offence, or after it.
		offendAndMore := peers.Send(append(slices.Clone(o.frames), peers.Text(more)))
		out = append(out,
			&harness.Scenario{
				ID: o.answers, Title: o.title + ", and answers the server's Close",
				Labels: []string{malformed},
				Script: answersCloseAfter(peers.Trigger{}, offend),
				Rules:  rules.Failing(o.code),
				Asks:   asks(o.code, rules.ClosesAfterViolation),
			},
			&harness.Scenario{
				ID: o.ignores, Title: o.title + ", and ignores the server's Close",
				Labels: []string{malformed, hang},
				Script: peers.Opened(peers.Trigger{}, offend, peers.HoldOpen{}),
				Rules:  rules.Failing(o.code),
				Asks:   asks(rules.FailsAtOnce, rules.LetsGoAfterViolation),
			},
			&harness.Scenario{
				ID: o.keepsSending, Title: o.title + ", and sends a text message in the same write and then every 100 ms",
				Labels: []string{malformed, hang},
				Script: peers.Opened(peers.Trigger{}, offendAndMore,
					peers.Pause{For: every}, peers.KeepSending{Frame: peers.Text(more), Every: every}),
				Rules: rules.Failing(o.code, rules.NotProcessed(more)),
				Asks:  asks(rules.NotProcessed(more), rules.LetsGoAfterViolation),
			},
			&harness.Scenario{
				ID: o.vanishes, Title: o.title + ", while it drops every packet from the server",
				Needs: []evidence.Capability{evidence.Dark}, Labels: []string{malformed, hang, dark},
				Script: peers.Opened(peers.GoDark{}, peers.Trigger{}, offend, peers.HoldOpen{}),
				Rules:  []rules.Rule{rules.LetsGoAfterViolation, rules.OneEvent, rules.EventInTime},
				Asks:   asks(rules.LetsGoAfterViolation),
			})
	}
	return out
}
