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

// late is the text that is sent where nothing may be answered any more.
const late = "too late"

// large is the length of a message that servers may refuse, bytes.
const large = 256 << 10

// PeerClose is the family in which the peer starts the closing handshake.
func PeerClose() []*harness.Scenario {
	var out []*harness.Scenario
	for _, code := range []uint16{1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3003, 3008, 3999, 4000, 4999} {
		out = append(out, &harness.Scenario{
			ID: fmt.Sprintf("peer-close/code-%d", code), Title: fmt.Sprintf("closes with %d", code),
			Script: closes(peers.CloseFrame(code, "")),
			Rules:  rules.Answer(),
		})
	}
	bye := peers.CloseFrame(1000, "")
	return append(out, []*harness.Scenario{
		{
			ID: "peer-close/empty", Title: "closes without a code",
			Script: closes(peers.CloseBody(nil)),
			Rules:  rules.Answer(rules.EmptyNot1005, rules.EventNoCode),
		},
		{
			ID: "peer-close/reason", Title: "closes with 1000 and a short reason",
			Script: closes(peers.CloseFrame(1000, "bye")),
			Rules:  rules.Answer(),
		},
		{
			ID: "peer-close/reason-123", Title: "closes with the longest reason there is, 123 bytes",
			Script: closes(peers.CloseFrame(1000, strings.Repeat("r", 123))),
			Rules:  rules.Answer(),
		},
		{
			ID: "peer-close/reason-multibyte", Title: "closes with a reason of 2-, 3- and 4-byte UTF-8 characters",
			Script: closes(peers.CloseFrame(1000, "é€𝄞")),
			Rules:  rules.Answer(),
		},
		{
			ID: "peer-close/between-fragments", Title: "closes between two fragments of a message",
			Script: closes(peers.Frame{Opcode: peers.OpText, Part: true, Payload: []byte("half")}, bye),
			Rules:  rules.Answer(rules.AnsweredInMessage),
		},
		{
			ID: "peer-close/twice", Title: "sends two Close frames in one write",
			Script: closes(bye, peers.CloseFrame(1001, "")),
			Rules:  rules.Answer(),
		},
		{
			ID: "peer-close/then-ping", Title: "sends a Ping behind its Close",
			Script: closes(bye, peers.Ping("late")),
			Rules:  rules.Answer(),
		},
		{
			ID: "peer-close/then-text", Title: "sends a text behind its Close",
			Needs:  []evidence.Capability{evidence.Echo},
			Script: closes(bye, peers.Text(late)),
			Rules:  rules.Answer(rules.NotEchoedAfterClose(late)),
		},
		{
			ID: "peer-close/then-flood", Title: "sends 1 MiB of text behind its Close",
			Script: closes(bye, peers.Filler(1<<20)),
			Rules:  append([]rules.Rule{rules.AnsweredOrReset, rules.ClosesCleanly}, rules.Answer()[1:]...),
		},
		{
			ID: "peer-close/after-large-message", Title: "sends 256 KiB of text and closes: the echo may finish first",
			Script: peers.Opened(peers.Send{peers.Filler(large)}, peers.Trigger{}, peers.Send{bye}, peers.AwaitEnd{}, peers.Finish{}),
			// The message may be refused before.
			Rules: append([]rules.Rule{rules.AnsweredOrReset, rules.ClosesCleanly, rules.RefusedAsTooBig(large)},
				slices.DeleteFunc(rules.Answer()[1:], func(r rules.Rule) bool { return r.ID == rules.EventCode.ID })...),
		},
		{
			ID: "peer-close/dripped", Title: "sends its Close frame a byte every 50 ms",
			Script: peers.Opened(
				peers.Trigger{}, peers.SendPart{Frame: peers.CloseFrame(1000, "bye"), Leave: 1, Every: 50 * time.Millisecond},
				peers.SendRest{}, peers.AwaitEnd{}, peers.Finish{}),
			Rules: rules.Answer(),
		},
		{
			ID: "peer-close/pipelined", Title: "sends its Close in the same segment as a text",
			Script: closes(peers.Text("hello"), bye),
			Rules:  rules.Answer(),
		},
		{
			// A client must wait for the response (RFC 6455, 4.1), so no answer is owed.
			ID: "peer-close/with-handshake", Title: "sends a text and its Close in the same write as the upgrade request",
			Labels: []string{malformed},
			Script: peers.Script{
				peers.Connect{}, peers.Trigger{}, peers.SendRequest{Then: []peers.Frame{peers.Text("hello"), bye}},
				peers.AwaitUpgrade{}, peers.AwaitEnd{}, peers.Finish{}},
			Rules: slices.Concat([]rules.Rule{rules.AnswerCode}, rules.CloseFrames(),
				rules.IfAnswered(rules.ClosesTCP, rules.LetsGoAfterClose), rules.IfAnswered(rules.CloseEvent(rules.EventCode)...)),
		},
		{
			ID: "peer-close/simultaneous", Title: "closes with 1001 in the same write that makes the server close with 1000",
			Needs:  []evidence.Capability{evidence.CanClose},
			Script: peers.Opened(peers.Trigger{}, peers.Ask{Command: "close 1000", Then: []peers.Frame{peers.CloseFrame(1001, "")}}, peers.AwaitEnd{}, peers.Finish{}),
			Rules:  append([]rules.Rule{rules.BothClosed, rules.BoundedWait}, append(rules.CloseFrames(), rules.CloseEvent(rules.EventCode)...)...),
		},
	}...)
}
