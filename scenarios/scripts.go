package scenarios

import (
	"time"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// asks are the ids of the rules that a scenario exists for, see [harness.Scenario.Asks].
func asks(list ...rules.Rule) []string {
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = r.ID
	}
	return out
}

// The scripts that several scenarios play, and the parts of such scripts.

// late is the text of a message that the server must not answer any more.
const late = "too late"

// stillHere is the text of a peer that goes on talking.
const stillHere = "still here"

// smallBuffer is the receive buffer of a peer that stops reading, bytes: the server's
// send buffer is full soon.
const smallBuffer = 4 << 10

// registered is how long a peer waits after its handshake before it joins the crowd:
// the response may arrive before the server's application knows of the connection.
const registered = 100 * time.Millisecond

// openedBy is [peers.Opened] with options for the connection.
func openedBy(connect peers.Connect, steps ...peers.Step) peers.Script {
	return append(peers.Script{connect}, peers.Opened(steps...)[1:]...)
}

// endsTCPAfter opens a connection, does the steps, and ends TCP after the server.
func endsTCPAfter(steps ...peers.Step) peers.Script {
	return append(peers.Opened(steps...), peers.AwaitEnd{}, peers.Finish{})
}

// sends opens a connection, sends the frames in one write, and ends TCP after the server.
func sends(frames ...peers.Frame) peers.Script {
	return endsTCPAfter(peers.Trigger{}, peers.Send(frames))
}

// answersClose answers the server's Close frame, and ends TCP after the server.
func answersClose() peers.Script {
	return peers.Script{peers.AwaitClose{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{}}
}

// answersCloseAfter opens a connection, does the steps, and then [answersClose].
func answersCloseAfter(steps ...peers.Step) peers.Script {
	return append(peers.Opened(steps...), answersClose()...)
}

// answersKickAfter is [answersCloseAfter] for a peer of a crowd: the server may be left
// to other scenarios as soon as its Close frames have arrived.
func answersKickAfter(steps ...peers.Step) peers.Script {
	return append(peers.Opened(steps...),
		peers.AwaitClose{}, peers.LeaveBarrier{}, peers.AnswerClose{}, peers.AwaitEnd{}, peers.Finish{})
}

// behindFullSendBuffer makes the server fill its send buffer, of which the peer reads
// the beginning and then only by the step read, and gives the buffer time to be full.
func behindFullSendBuffer(read peers.Step, then ...peers.Step) peers.Script {
	return append(openedBy(peers.Connect{ReceiveBuffer: smallBuffer},
		peers.Ask{Command: "fill 8388608"}, peers.AwaitBytes{N: 64 << 10},
		read, peers.Pause{For: 250 * time.Millisecond}), then...)
}

// blocksEchoes stops reading and sends messages, at most so many bytes, until the
// server is blocked writing their echoes.
func blocksEchoes(bytes int, then ...peers.Step) peers.Script {
	return append(openedBy(peers.Connect{ReceiveBuffer: smallBuffer}, peers.StopReading{},
		peers.SendUntilBlocked{Frame: peers.Filler(16 << 10), Max: bytes, Stall: 250 * time.Millisecond}), then...)
}

// close1000 sends a Close frame with the code 1000.
func close1000() peers.Send { return peers.Send{peers.CloseFrame(1000, "")} }

// partOfFrame sends a text frame without its last bytes.
func partOfFrame() peers.SendPart {
	return peers.SendPart{Frame: peers.Text("a frame that is cut in the middle"), Leave: 17}
}

// partOfCloseFrame sends a Close frame without its last bytes.
func partOfCloseFrame() peers.SendPart {
	return peers.SendPart{Frame: peers.CloseFrame(1000, "bye"), Leave: 3}
}

// fragment is the first fragment of a text message.
func fragment(text string) peers.Frame {
	return peers.Frame{Opcode: peers.OpText, Part: true, Payload: []byte(text)}
}
