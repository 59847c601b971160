package scenarios

import (
	"fmt"
	"strings"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// BadClose is the family of malformed Close frames: each fails the connection.
func BadClose() []*harness.Scenario {
	var out []*harness.Scenario
	add := func(name, title string, f peers.Frame, r []rules.Rule) {
		out = append(out, &harness.Scenario{
			ID: "bad-close/" + name, Title: title, Labels: []string{malformed},
			Script: closes(f), Rules: r,
		})
	}
	illegal := rules.Failing(rules.FailureCode("RFC 6455, 7.4 (1002 by convention)", 1002))
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999} {
		add(fmt.Sprintf("code-%d", code), fmt.Sprintf("closes with %d, which may not be sent", code), peers.CloseFrame(code, ""), illegal)
	}
	add("code-1002-valid-control", "closes with 1002, which is legal: the control of this family", peers.CloseFrame(1002, ""), rules.Answer())
	for _, code := range []uint16{5000, 65535} {
		add(fmt.Sprintf("code-%d", code), fmt.Sprintf("closes with %d, of which RFC 6455 does not speak", code), peers.CloseFrame(code, ""),
			append([]rules.Rule{rules.AnswerCode, rules.OneEvent, rules.EventInTime}, rules.CloseFrames()...))
	}
	framing := func(clause string) []rules.Rule { return rules.Failing(rules.FailureCode("RFC 6455, "+clause, 1002)) }
	utf8 := rules.Failing(rules.FailureCode("RFC 6455, 8.1 and 5.5.1", 1007, 1002))
	bye := peers.CloseFrame(1000, "bye")
	with := func(change func(*peers.Frame)) peers.Frame { f := bye; change(&f); return f }
	add("one-byte", "closes with a 1-byte body", peers.CloseBody([]byte{3}), framing("5.5.1 (1002 by convention)"))
	add("reason-124", "closes with a reason of 124 bytes: a control frame of 126", peers.CloseFrame(1000, strings.Repeat("r", 124)), framing("5.5 (1002 by convention)"))
	add("reason-bad-utf8", "closes with a reason that is not UTF-8", peers.CloseFrame(1000, "\xff\xfe"), utf8)
	add("fragmented", "sends a Close frame with the FIN bit 0", with(func(f *peers.Frame) { f.Part = true }), framing("5.5 (1002 by convention)"))
	for bit, rsv := range []byte{4, 2, 1} {
		add(fmt.Sprintf("rsv%d", bit+1), fmt.Sprintf("sends a Close frame with RSV%d set", bit+1), with(func(f *peers.Frame) { f.RSV = rsv }), framing("5.2"))
	}
	add("unmasked", "sends a Close frame without a mask", with(func(f *peers.Frame) { f.Unmasked = true }), framing("5.1"))
	add("length-16bit", "sends a Close frame whose length stands in 16 bits where 7 are enough", with(func(f *peers.Frame) { f.Wide = true }), framing("5.2"))
	return out
}
