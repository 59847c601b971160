package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// BadClose is the family of malformed Close frames: the server must fail the connection.
func BadClose() []*harness.Scenario {
	return slices.Concat(illegalCodes(), undefinedCodes(), malformedCloseFrames())
}

func illegalCodes() (out []*harness.Scenario) {
	code := rules.FailureCode("RFC 6455, 7.4 (1002 by convention)", 1002)
	for _, s := range []struct {
		id   string
		code uint16
	}{
		{"bad-close/code-0", 0},
		{"bad-close/code-1", 1},
		{"bad-close/code-999", 999},
		{"bad-close/code-1004", 1004},
		{"bad-close/code-1005", 1005},
		{"bad-close/code-1006", 1006},
		{"bad-close/code-1015", 1015},
		{"bad-close/code-1016", 1016},
		{"bad-close/code-1100", 1100},
		{"bad-close/code-2000", 2000},
		{"bad-close/code-2999", 2999},
	} {
		out = append(out, &harness.Scenario{
			ID: s.id, Title: fmt.Sprintf("closes with %d, a code that may not be sent", s.code),
			Labels: []string{malformed},
			Script: sends(peers.CloseFrame(s.code, "")),
			Rules:  rules.Failing(code),
			Asks:   asks(code, rules.ClosesAfterViolation),
		})
	}
	return append(out, &harness.Scenario{
		ID: "bad-close/code-1002-valid-control", Title: "closes with 1002, a legal code: the control of this family",
		Labels: []string{malformed},
		Script: sends(peers.CloseFrame(1002, "")),
		Rules:  rules.Answer(),
		Asks:   asks(rules.Answered, rules.ClosesTCP),
	})
}

func undefinedCodes() (out []*harness.Scenario) {
	for _, s := range []struct {
		id   string
		code uint16
	}{
		{"bad-close/code-5000", 5000},
		{"bad-close/code-65535", 65535},
	} {
		out = append(out, &harness.Scenario{
			ID: s.id, Title: fmt.Sprintf("closes with %d, a code that RFC 6455 does not define", s.code),
			Labels: []string{malformed},
			Script: sends(peers.CloseFrame(s.code, "")),
			Rules:  append([]rules.Rule{rules.AnswerCode, rules.OneEvent, rules.EventInTime}, rules.CloseFrames()...),
			Asks:   asks(rules.LegalCode), // of the answer, which may echo the code
		})
	}
	return out
}

func malformedCloseFrames() (out []*harness.Scenario) {
	body := []byte("\x03\xe8bye") // 1000 and a reason
	protocol := func(section string) rules.Rule { return rules.FailureCode("RFC 6455, "+section, 1002) }
	for _, s := range []struct {
		id, title string
		frame     peers.Frame
		code      rules.Rule
	}{
		{"bad-close/one-byte", "sends a Close frame with a body of 1 byte",
			peers.CloseBody([]byte{3}), protocol("5.5.1 (1002 by convention)")},
		{"bad-close/reason-124", "closes with a reason of 124 bytes, one more than a Close frame can have",
			peers.CloseFrame(1000, strings.Repeat("r", 124)), protocol("5.5 (1002 by convention)")},
		{"bad-close/reason-bad-utf8", "closes with a reason that is not valid UTF-8",
			peers.CloseFrame(1000, "\xff\xfe"), rules.FailureCode("RFC 6455, 8.1 and 5.5.1", 1007, 1002)},
		{"bad-close/fragmented", "sends a Close frame with the FIN bit clear",
			peers.Frame{Opcode: peers.OpClose, Payload: body, Part: true}, protocol("5.5 (1002 by convention)")},
		{"bad-close/rsv1", "sends a Close frame with RSV1 set",
			peers.Frame{Opcode: peers.OpClose, Payload: body, RSV: 4}, protocol("5.2")},
		{"bad-close/rsv2", "sends a Close frame with RSV2 set",
			peers.Frame{Opcode: peers.OpClose, Payload: body, RSV: 2}, protocol("5.2")},
		{"bad-close/rsv3", "sends a Close frame with RSV3 set",
			peers.Frame{Opcode: peers.OpClose, Payload: body, RSV: 1}, protocol("5.2")},
		{"bad-close/unmasked", "sends an unmasked Close frame",
			peers.Frame{Opcode: peers.OpClose, Payload: body, Unmasked: true}, protocol("5.1")},
		{"bad-close/length-16bit", "sends a Close frame that states its length in 16 bits where 7 are enough",
			peers.Frame{Opcode: peers.OpClose, Payload: body, Wide: true}, protocol("5.2")},
	} {
		out = append(out, &harness.Scenario{
			ID: s.id, Title: s.title, Labels: []string{malformed},
			Script: sends(s.frame), Rules: rules.Failing(s.code), Asks: asks(s.code, rules.ClosesAfterViolation),
		})
	}
	return out
}
