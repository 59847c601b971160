package scenarios

import (
	"fmt"
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
	name, title string
	frames      []peers.Frame
	code        rules.Rule
}

func offences() []offence {
	text := func(s string) peers.Frame { return peers.Text(s) }
	part := func(s string) peers.Frame { f := text(s); f.Part = true; return f }
	next := func(s string) peers.Frame { return peers.Frame{Opcode: peers.OpContinuation, Payload: []byte(s)} }
	protocol := func(clause string) rules.Rule { return rules.FailureCode("RFC 6455, "+clause, 1002) }
	payload := rules.FailureCode("RFC 6455, 8.1", 1007)

	out := []offence{{"unmasked", "sends a text without a mask",
		[]peers.Frame{{Opcode: peers.OpText, Payload: []byte("hello"), Unmasked: true}}, protocol("5.1")}}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		out = append(out, offence{fmt.Sprintf("opcode-%d", op), fmt.Sprintf("sends a frame with the reserved opcode %d", op),
			[]peers.Frame{{Opcode: op, Payload: []byte("hello")}}, protocol("5.2")})
	}
	for bit, rsv := range []byte{4, 2, 1} {
		out = append(out, offence{fmt.Sprintf("rsv%d", bit+1), fmt.Sprintf("sends a text with RSV%d set, no extension being negotiated", bit+1),
			[]peers.Frame{{Opcode: peers.OpText, RSV: rsv, Payload: []byte("hello")}}, protocol("5.2")})
	}
	return append(out, []offence{
		{"ping-126", "sends a Ping of 126 bytes", []peers.Frame{peers.Ping(strings.Repeat("p", 126))}, protocol("5.5 (1002 by convention)")},
		{"ping-fragmented", "sends a Ping with the FIN bit 0", []peers.Frame{{Opcode: peers.OpPing, Part: true, Payload: []byte("p")}}, protocol("5.5 (1002 by convention)")},
		{"stray-continuation", "sends a continuation frame outside a message", []peers.Frame{next("hello")}, protocol("5.4 (1002 by convention)")},
		{"text-in-message", "sends a text frame inside a fragmented message", []peers.Frame{part("hel"), text("lo")}, protocol("5.4 (1002 by convention)")},
		{"bad-utf8", "sends a text that is not UTF-8", []peers.Frame{text("\xce\xba\xff")}, payload},
		{"bad-utf8-fragmented", "sends a fragmented text that is not UTF-8 across the cut", []peers.Frame{part("\xce"), next("\xff")}, payload},
		{"length-msb", "announces a 64-bit length with its most significant bit set",
			[]peers.Frame{{Opcode: peers.OpText, Wide: true, Announce: 1<<63 | 5, Payload: []byte("hello")}},
			rules.FailureCode("RFC 6455, 5.2 (1002, or 1009 for a size)", 1002, 1009)},
	}...)
}

// Violation crosses every offence with the ways in which a peer takes the
// server's Close.
func Violation() []*harness.Scenario {
	const every = 100 * time.Millisecond
	var out []*harness.Scenario
	for _, o := range offences() {
		act := func(before []peers.Step, after ...peers.Step) peers.Script {
			return append(append(peers.Opened(before...), peers.Trigger{}, peers.Send(o.frames)), after...)
		}
		// A server that relays what others send must not seem to answer this one.
		late := late + ": " + o.name
		// In a write of its own the next frame may come with the offence, or behind it.
		goesOn := peers.Send(append(slices.Clone(o.frames), peers.Text(late)))
		out = append(out,
			&harness.Scenario{
				ID: "violation/" + o.name + "/answers", Title: o.title + ", and answers the server's Close",
				Labels: []string{malformed},
				Script: act(nil, peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}),
				Rules:  rules.Failing(o.code),
			},
			&harness.Scenario{
				ID: "violation/" + o.name + "/ignores", Title: o.title + ", and ignores what the server does",
				Labels: []string{malformed, hang},
				Script: act(nil, peers.HoldOpen{}),
				Rules:  rules.Failing(o.code),
			},
			&harness.Scenario{
				ID: "violation/" + o.name + "/keeps-sending", Title: o.title + ", and goes on with a text in the same write and every 100 ms",
				Labels: []string{malformed, hang},
				Script: peers.Opened(peers.Trigger{}, goesOn, peers.Pause{For: every}, peers.KeepSending{Frame: peers.Text(late), Every: every}),
				Rules:  rules.Failing(o.code, rules.NotProcessed(late)),
			},
			&harness.Scenario{
				ID: "violation/" + o.name + "/vanishes", Title: o.title + ", with all that comes from the server lost",
				Needs: []evidence.Capability{evidence.Dark, evidence.Local}, Labels: []string{malformed, hang, dark},
				Script: act([]peers.Step{peers.Vanish{}}, peers.HoldOpen{}),
				Rules:  []rules.Rule{rules.LetsGoAfterViolation, rules.OneEvent, rules.EventInTime},
			})
	}
	return out
}
