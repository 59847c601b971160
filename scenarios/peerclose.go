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

// PeerClose is the family in which the peer starts the closing handshake.
func PeerClose() []*harness.Scenario {
	return slices.Concat(legalCodes(), closeBodies(), closeAmongFrames())
}

func legalCodes() (out []*harness.Scenario) {
	for _, s := range []struct {
		id   string
		code uint16
	}{
		{"peer-close/code-1000", 1000},
		{"peer-close/code-1001", 1001},
		{"peer-close/code-1003", 1003},
		{"peer-close/code-1007", 1007},
		{"peer-close/code-1008", 1008},
		{"peer-close/code-1009", 1009},
		{"peer-close/code-1010", 1010},
		{"peer-close/code-1011", 1011},
		{"peer-close/code-1012", 1012},
		{"peer-close/code-1013", 1013},
		{"peer-close/code-1014", 1014},
		{"peer-close/code-3000", 3000},
		{"peer-close/code-3003", 3003},
		{"peer-close/code-3008", 3008},
		{"peer-close/code-3999", 3999},
		{"peer-close/code-4000", 4000},
		{"peer-close/code-4999", 4999},
	} {
		out = append(out, &harness.Scenario{
			ID: s.id, Title: fmt.Sprintf("closes with %d", s.code),
			Script: sends(peers.CloseFrame(s.code, "")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		})
	}
	return out
}

func closeBodies() []*harness.Scenario {
	return []*harness.Scenario{
		{
			ID: "peer-close/empty", Title: "closes without a code",
			Script: sends(peers.CloseBody(nil)),
			Rules:  rules.Answer(rules.EmptyNot1005, rules.EventNoCode),
			Asks:   asks(rules.Answered, rules.EmptyNot1005),
		},
		{
			ID: "peer-close/reason", Title: "closes with 1000 and a short reason",
			Script: sends(peers.CloseFrame(1000, "bye")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		},
		{
			ID: "peer-close/reason-123", Title: "closes with 1000 and a reason of 123 bytes, the most that fits",
			Script: sends(peers.CloseFrame(1000, strings.Repeat("r", 123))),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		},
		{
			ID: "peer-close/reason-multibyte", Title: "closes with 1000 and a reason of 2-, 3- and 4-byte UTF-8 characters",
			Script: sends(peers.CloseFrame(1000, "é€𝄞")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		},
	}
}

// closeAmongFrames are the scenarios in which the Close frame is close to other frames.
func closeAmongFrames() []*harness.Scenario {
	bye := peers.CloseFrame(1000, "")
	const large = 256 << 10 // the length of a message that a server may refuse, bytes
	return []*harness.Scenario{
		{
			ID: "peer-close/between-fragments", Title: "closes after the first fragment of a message",
			Script: sends(fragment("half"), bye),
			Rules:  rules.Answer(rules.AnsweredInMessage),
			Asks:   asks(rules.AnsweredInMessage),
		},
		{
			ID: "peer-close/twice", Title: "sends two Close frames in one write",
			Script: sends(bye, peers.CloseFrame(1001, "")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered, rules.OneClose),
		},
		{
			ID: "peer-close/then-ping", Title: "sends a Ping after its Close frame, in the same write",
			Script: sends(bye, peers.Ping("late")),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		},
		{
			ID: "peer-close/then-text", Title: "sends a text message after its Close frame, in the same write",
			Needs:  []evidence.Capability{evidence.Echo},
			Script: sends(bye, peers.Text(late)),
			Rules:  rules.Answer(rules.NotEchoedAfterClose(late)),
			Asks:   asks(rules.NotEchoedAfterClose(late)),
		},
		{
			ID: "peer-close/then-flood", Title: "sends 1 MiB of text after its Close frame, in the same write",
			Script: sends(bye, peers.Filler(1<<20)),
			Rules:  append([]rules.Rule{rules.AnsweredOrReset, rules.ClosesCleanly}, rules.Answer()[1:]...),
			Asks:   asks(rules.AnsweredOrReset, rules.ClosesCleanly),
		},
		{
			ID:     "peer-close/after-large-message",
			Title:  "sends 256 KiB of text and closes; the server may finish the echo before it answers",
			Script: endsTCPAfter(peers.Trigger{}, peers.Send{peers.Filler(large)}, peers.Send{bye}),
			// The server may have refused the message before the Close frame arrives.
			Rules: append([]rules.Rule{rules.AnsweredOrReset, rules.ClosesCleanly, rules.RefusedAsTooBig(large)},
				slices.DeleteFunc(rules.Answer()[1:], func(r rules.Rule) bool { return r.ID == rules.EventCode.ID })...),
			Asks: asks(rules.AnsweredOrReset),
		},
		{
			ID: "peer-close/dripped", Title: "sends its Close frame one byte every 50 ms",
			Script: endsTCPAfter(peers.Trigger{},
				peers.SendPart{Frame: peers.CloseFrame(1000, "bye"), Leave: 1, Every: 50 * time.Millisecond}, peers.SendRest{}),
			Rules: rules.Answer(),
			Asks:  asks(rules.Answered),
		},
		{
			ID: "peer-close/pipelined", Title: "sends a text message and its Close frame in one write",
			Script: sends(peers.Text("hello"), bye),
			Rules:  rules.Answer(),
			Asks:   asks(rules.Answered),
		},
		{
			// A client must wait for the response (RFC 6455, 4.1), so the server owes no answer.
			ID: "peer-close/with-handshake", Title: "sends a text message and its Close frame together with the upgrade request",
			Labels: []string{malformed},
			Script: peers.Script{
				peers.Connect{}, peers.Trigger{}, peers.SendRequest{Then: []peers.Frame{peers.Text("hello"), bye}},
				peers.AwaitUpgrade{}, peers.AwaitEnd{}, peers.Finish{}},
			Rules: slices.Concat([]rules.Rule{rules.AnswerCode}, rules.CloseFrames(),
				rules.IfAnswered(rules.ClosesTCP, rules.LetsGoAfterClose), rules.IfAnswered(rules.CloseEvent(rules.EventCode)...)),
			Asks: asks(rules.ClosesTCP),
		},
		{
			ID: "peer-close/simultaneous", Title: "closes with 1001 while it makes the server close with 1000",
			Needs: []evidence.Capability{evidence.CanClose},
			Script: endsTCPAfter(peers.Trigger{},
				peers.Ask{Command: "close 1000", Then: []peers.Frame{peers.CloseFrame(1001, "")}}),
			Rules: slices.Concat([]rules.Rule{rules.BothClosed, rules.BoundedWait},
				rules.CloseFrames(), rules.CloseEvent(rules.EventCode)),
			Asks: asks(rules.BothClosed),
		},
	}
}
