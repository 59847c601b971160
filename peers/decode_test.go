package peers

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// decoded is what a decoder told.
type decoded struct {
	Frames    []string
	Messages  []Message
	Malformed []string
}

// decode feeds the bytes, cut where cuts say: each is the length of a piece,
// the rest comes in one.
func decode(t testing.TB, b []byte, cuts []byte) (got decoded) {
	t.Helper()
	d := decoder{
		messageBytes: shortText,
		onFrame:      func(h Header, p []byte) { got.Frames = append(got.Frames, fmt.Sprintf("%+v %q", h, p)) },
		onMessage:    func(m Message) { got.Messages = append(got.Messages, m) },
		malformed:    func(what string) { got.Malformed = append(got.Malformed, what) },
	}
	for len(b) > 0 {
		n := len(b)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])), cuts[1:]
		}
		d.feed(b[:n])
		b = b[n:]
		if cap(d.head) > 64 || cap(d.payload) > 2*shortText || cap(d.message.Payload) > 2*shortText {
			t.Fatalf("the decoder keeps %d + %d + %d bytes", cap(d.head), cap(d.payload), cap(d.message.Payload))
		}
	}
	return got
}

func TestDecoder(t *testing.T) {
	part := func(op byte, s string) Frame { return Frame{Opcode: op, Part: true, Payload: []byte(s)} }
	next := func(s string) Frame { return Frame{Opcode: OpContinuation, Payload: []byte(s)} }
	text := func(s string) Message { return Message{Text: true, Length: uint64(len(s)), Payload: []byte(s)} }
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name      string
		wire      string
		frames    int
		messages  []Message
		malformed []string // how each begins
	}{
		{"nothing", "", 0, nil, nil},
		{"text", raw(Text("abc")), 1, []Message{text("abc")}, nil},
		{"empty text", raw(Text("")), 1, []Message{{Text: true}}, nil},
		{"binary of 200", raw(Frame{Opcode: OpBinary, Payload: []byte(long[:200])}), 1, []Message{{Length: 200,
			Payload: []byte(long[:200])}}, nil},
		{"64-bit length", raw(Text(long)), 1, []Message{{Text: true, Length: 70_000, Payload: []byte(long[:shortText])}}, nil},
		{"fragments", raw(part(OpText, "a"), Ping("p"), part(OpContinuation, "b"), next("c")), 4, []Message{text("abc")}, nil},
		{"long fragments", raw(part(OpText, long[:1000]), next(long[:1000])), 2, []Message{{Text: true, Length: 2000,
			Payload: []byte(long[:shortText])}}, nil},
		{"unfinished message", raw(part(OpText, "a")), 1, nil, nil},
		{"stray continuation", raw(Text("a"), next("b"), Text("c")), 3, []Message{text("a"), text("c")},
			[]string{"continuation without a message"}},
		{"stray fragments", raw(part(OpContinuation, "a"), next("b")), 2, nil, []string{"continuation without", "continuation without"}},
		{"text inside a message", raw(part(OpText, "a"), Text("b")), 2, []Message{text("b")}, []string{"a new message began"}},
		{"reserved opcodes", raw(Frame{Opcode: 3}, Frame{Opcode: 11}), 2, []Message{{}}, []string{"opcode-3 is reserved",
			"opcode-11 is reserved"}},
		{"masked", string(Text("abc").Encode()), 1, []Message{text("abc")}, []string{"text frame is masked"}},
		{"rsv", raw(Frame{Opcode: OpText, RSV: 4}), 1, []Message{{Text: true}}, []string{"text frame has reserved bits 100"}},
		{"ping fragmented", raw(Frame{Opcode: OpPing, Part: true}), 1, nil, []string{"control frame ping"}},
		{"ping of 126", raw(Ping(long[:126])), 1, nil, []string{"control frame ping"}},
		{"0 in 16 bits", "\x81\x7e\x00\x00", 1, []Message{{Text: true}}, []string{"text frame's length is not"}},
		{"125 in 16 bits", "\x81\x7e\x00\x7d" + long[:125], 1, []Message{text(long[:125])}, []string{"text frame's length is not"}},
		{"126 in 16 bits", "\x81\x7e\x00\x7e" + long[:126], 1, []Message{text(long[:126])}, nil},
		{"1 in 64 bits", "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01a", 1, []Message{text("a")}, []string{"text frame's length is not"}},
		{"2^63-1", "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + long, 0, nil, nil},
		{"2^63", "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00" + long, 0, nil, []string{"a 64-bit length has its most significant bit"}},
		{"2^64-1 masked close", "\x88\xff\xff\xff\xff\xff\xff\xff\xff\xff" + long, 0, nil,
			[]string{"a 64-bit length", "close frame is masked", "control frame close"}},
		{"header only", "\x81\xfe\x00", 0, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, []byte(test.wire), nil)
			if diff := cmp.Diff(got, decode(t, []byte(test.wire), bytes.Repeat([]byte{1}, len(test.wire)))); diff != "" {
				t.Errorf("byte by byte it is another thing: %s", diff)
			}
			if len(got.Frames) != test.frames {
				t.Errorf("frames: %v", got.Frames)
			}
			if diff := cmp.Diff(test.messages, got.Messages); diff != "" {
				t.Error(diff)
			}
			if len(got.Malformed) != len(test.malformed) {
				t.Fatalf("malformed: %q", got.Malformed)
			}
			for i, what := range got.Malformed {
				if !strings.HasPrefix(what, test.malformed[i]) {
					t.Errorf("malformed: %s", what)
				}
			}
		})
	}
}

// FuzzDecoder: arbitrary bytes mean the same however they are cut, and what is
// kept of them is bounded.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x81\x03abc\x88\x02\x03\xe8"), []byte{1, 2, 3})
	f.Add([]byte("\x01\x01a\x89\x00\x80\x01b\x80\x00"), []byte{0, 4})
	f.Add([]byte("\x88\xff\xff\xff\xff\xff\xff\xff\xff\xffabc"), []byte{9})
	f.Add([]byte("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01a"), []byte{2, 7})
	f.Fuzz(func(t *testing.T, b, cuts []byte) {
		whole := decode(t, b, nil)
		if diff := cmp.Diff(whole, decode(t, b, cuts)); diff != "" {
			t.Error(diff)
		}
		if len(whole.Messages) > len(whole.Frames) || 2*len(whole.Frames) > len(b) {
			t.Errorf("%d messages, %d frames of %d bytes", len(whole.Messages), len(whole.Frames), len(b))
		}
	})
}

// TestEncode: what is legal reads back with another implementation.
func TestEncode(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, f := range []Frame{
			{Opcode: OpText}, {Opcode: OpBinary, Part: true}, {Opcode: OpContinuation, RSV: 4}, {Opcode: OpPing},
			{Opcode: OpBinary, Unmasked: true},
		} {
			f.Payload = bytes.Repeat([]byte("p"), n)
			b := f.Encode()
			got, err := ws.ReadFrame(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			h := got.Header
			if h.Fin == f.Part || h.Rsv != f.RSV || byte(h.OpCode) != f.Opcode || h.Masked == f.Unmasked || h.Length != int64(n) {
				t.Errorf("%s: header %+v", f, h)
			}
			if !bytes.Equal(ws.UnmaskFrame(got).Payload, f.Payload) {
				t.Errorf("%s: another payload", f)
			}
			if want := ws.HeaderSize(h) + n; len(b) != want {
				t.Errorf("%s: %d bytes, want %d", f, len(b), want)
			}
		}
	}
}

// TestEncodeIllegal: nothing is validated or cropped.
func TestEncodeIllegal(t *testing.T) {
	tests := []struct {
		frame Frame
		wire  string
	}{
		{Frame{Opcode: OpClose, Payload: []byte{3}, Unmasked: true}, "\x88\x01\x03"},
		{Frame{Opcode: 15, RSV: 7, Part: true, Unmasked: true}, "\x7f\x00"},
		{Frame{Opcode: OpText, Payload: []byte("ab"), Wide: true, Unmasked: true}, "\x81\x7e\x00\x02ab"},
		{Frame{Opcode: OpText, Payload: []byte("ab"), Wide: true, Announce: 1 << 63, Unmasked: true},
			"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00ab"},
		{Frame{Opcode: OpPing, Payload: make([]byte, 126), Unmasked: true}, "\x89\x7e\x00\x7e" + string(make([]byte, 126))},
		{func() Frame { f := CloseFrame(1000, strings.Repeat("r", 124)); f.Unmasked = true; return f }(),
			"\x88\x7e\x00\x7e\x03\xe8" + strings.Repeat("r", 124)},
	}
	for _, test := range tests {
		if got := string(test.frame.Encode()); got != test.wire {
			t.Errorf("%s: %q, want %q", test.frame, got, test.wire)
		}
	}
}
