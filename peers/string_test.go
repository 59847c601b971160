package peers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
)

// lines is every step with its line in a script. Scripts are read back one
// day: no two steps that do different things may have the same line.
var lines = []struct {
	step Step
	line string
}{
	{Connect{}, "connect"},
	{Connect{ReceiveBuffer: 4096}, "connect rcvbuf=4096"},
	{Connect{KeepPort: true}, "connect, keep the port"},
	{SendRequest{}, "send request"},
	{SendRequest{Half: true}, "send half of the request"},
	{SendRequest{Half: true, Then: []Frame{Text("a")}}, `send half of the request + text "a"`},
	{SendRequest{Then: []Frame{Text("a"), CloseFrame(1000, "")}}, `send request + text "a" + close 1000`},
	{AwaitUpgrade{}, "await upgrade"},
	{Trigger{}, "trigger"},
	{AwaitText{"it's \"é\"\n"}, `await text "it's \"\u00e9\"\n"`},
	{AwaitClose{}, "await close"},
	{AwaitClose{For: time.Second}, "await close for 1s"},
	{AnswerClose{}, "answer close"},
	{AnswerClose{Else: Send{CloseFrame(1000, "")}}, "answer close, else send close 1000"},
	{AwaitEnd{}, "await end of TCP or TLS"},
	{HoldOpen{}, "hold open"},
	{Pause{1500 * time.Millisecond}, "pause 1.5s"},
	{NoPong{}, "answer no ping"},
	{Finish{}, "send FIN, await the end"},
	{HalfClose{}, "send FIN, read on"},
	{Finish{Bare: true}, "send FIN without close_notify, await the end"},
	{HalfClose{Bare: true}, "send FIN without close_notify, read on"},
	{CloseNotify{}, "send close_notify, read on"},
	{SendRecordPart{Text("a"), 3}, `send all but 3 bytes of a TLS record with text "a"`},
	{CloseSocket{}, "close the socket"},
	{Reset{}, "send RST"},
	{StopReading{}, "stop reading"},
	{Forget{}, "forget the connection"},
	{GoDark{}, "vanish"},
	{ComeBack{}, "return"},
	{DropFIN{}, "drop every FIN"},
	{AwaitAcked{}, "await ACK"},
	{ConnectAfter{20 * time.Millisecond}, "join the crowd without a connection, trigger; connect after 20ms"},
	{Ask{Command: "close 1001 bye"}, "ask close 1001 bye"},
	{Ask{Command: "close 1000 bye, and send close 1001"}, `ask "close 1000 bye, and send close 1001"`},
	{Ask{Command: "close 1000 \n"}, `ask "close 1000 \n"`},
	{Ask{"close 1000", []Frame{CloseFrame(1001, "")}}, "ask close 1000, and send close 1001"},
	{AwaitBinary{"\x00\xff"}, `await binary "\x00\xff"`},
	{&AwaitMatch{What: "the events"}, "await the events"},
	{AwaitAnswer{"finwait:v1"}, `await text "finwait:v1"…`},
	{SlowReading{1, 100 * time.Millisecond}, "read 1 bytes every 100ms"},
	{AwaitBytes{100}, "await 100 bytes"},
	{AwaitMessages{2}, "await 2 messages"},
	{JoinBarrier{Lead: true}, "gather the crowd, trigger"},
	{JoinBarrier{}, "join the crowd, trigger"},
	{JoinBarrier{After: time.Second}, "pause 1s, join the crowd, trigger"},
	{LeaveBarrier{}, "leave the crowd"},
	{SendLast{CloseFrame(1000, "")}, "send close 1000 + FIN, read on"},
	{SendPart{Frame: Text("a b"), Leave: 2}, `send all but 2 bytes of text "a b"`},
	{SendPart{Frame: Text("a"), Every: 50 * time.Millisecond}, `send all but 0 bytes of text "a", a byte every 50ms`},
	{SendRest{}, "send the rest"},
	{KeepSending{Ping("a"), time.Second}, `keep sending ping "a" every 1s`},
	{SendUntilBlocked{Filler(65536), 1 << 20, time.Second}, "send text \"f\" x 65536 until the server takes no more for " +
		"1s, at most 1048576 bytes"},
	{Send{Text("a"), Text(`" + text "`)}, `send text "a" + text "\" + text \""`},
	{Send{Text("")}, `send text ""`},
	{Send{Filler(41)}, `send text "f" x 41`},
	{Send{Text("a" + strings.Repeat("f", 40))}, "send text of 41 bytes (SHA-256 6a023f0534ac)"},
	{Send{{Opcode: OpBinary, Payload: []byte{0, 255}}}, `send binary "\x00\xff"`},
	{Send{{Opcode: OpContinuation, Part: true, Payload: []byte("c")}}, `send continuation "c" fin=0`},
	{Send{Ping("")}, "send ping"},
	{Send{{Opcode: OpPong, Payload: []byte("p")}}, `send pong "p"`},
	{Send{{Opcode: 3}}, `send opcode-3 ""`},
	{Send{{Opcode: 11, RSV: 4}}, "send opcode-11 rsv=100"},
	{Send{{Opcode: OpText, RSV: 1, Unmasked: true}}, `send text "" rsv=001 unmasked`},
	{Send{CloseBody(nil)}, "send close without a code"},
	{Send{CloseBody([]byte{3})}, "send close with the 1-byte body 0x03"},
	{Send{CloseFrame(0, "")}, "send close 0"},
	{Send{CloseFrame(1000, "bye\x1b")}, `send close 1000 "bye\x1b"`},
	{Send{CloseFrame(1000, strings.Repeat("r", 123))}, `send close 1000 "r" x 123`},
	{Send{CloseFrame(1000, strings.Repeat("r", 124))}, `send close 1000 "r" x 124`},
	{Send{{Opcode: OpClose, Payload: []byte{3, 232}, Part: true, RSV: 2, Unmasked: true}}, "send close 1000 fin=0 rsv=010 unmasked"},
	{Send{{Opcode: OpText, Payload: []byte("a"), Wide: true}}, `send text "a" length=16-bit`},
	{Send{{Opcode: OpText, Announce: 5}, Text("announce needs wide")}, `send text "" + text "announce needs wide"`},
	{Send{{Opcode: OpText, Wide: true, Announce: 1 << 63}}, `send text "" length=0x8000000000000000`},
}

func TestString(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[string]bool{"do": true}
	for _, l := range lines {
		if got := l.step.String(); got != l.line {
			t.Errorf("%T: %s, want %s", l.step, got, l.line)
		}
		if strings.IndexFunc(l.line, unicode.IsControl) >= 0 || seen[l.line] {
			t.Errorf("not one line of its own: %q", l.line)
		}
		seen[l.line] = true
		kinds[strings.TrimPrefix(reflect.TypeOf(l.step).String(), "*peers.")] = true
		kinds[reflect.TypeOf(l.step).Name()] = true
	}
	for _, name := range stepTypes(t) {
		if !kinds[name] {
			t.Errorf("the table has no line for %s", name)
		}
	}
	if got := (Script{Connect{}, AwaitClose{}}).String(); got != "connect\nawait close" {
		t.Errorf("script: %q", got)
	}
}

// stepTypes are the types of this package that have a method Do.
func stepTypes(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("[a-z]*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Do" {
				receiver := f.Recv.List[0].Type
				if pointer, ok := receiver.(*ast.StarExpr); ok {
					receiver = pointer.X
				}
				names = append(names, receiver.(*ast.Ident).Name)
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("found only %q", names)
	}
	return names
}

// TestNotConnected: a script that begins with any step ends, without a panic.
func TestNotConnected(t *testing.T) {
	for _, l := range lines {
		switch l.step.(type) {
		case Connect, ConnectAfter:
			continue
		}
		t.Run(l.line, func(t *testing.T) {
			t.Parallel()
			r := Run(t.Context(), Script{l.step, AwaitClose{}}, Options{URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:1"},
				Setup: soon, Patience: soon})
			if !strings.HasSuffix(r.Err, ": not connected") {
				t.Errorf("error %q", r.Err)
			}
			within(t, "the end", r.Stopped, 0)
		})
	}
}

// TestConnectTwice would leak the first connection.
func TestConnectTwice(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) { _, _ = c.drain() })
	if r := Run(t.Context(), Script{Connect{}, Trigger{}, Connect{}}, o); r.Err != "connect: already connected" {
		t.Errorf("error %q", r.Err)
	}
}
