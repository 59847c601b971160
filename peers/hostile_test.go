package peers

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestEndlessData: a server that never stops sending holds nobody up, and what
// is kept of it is bounded.
func TestEndlessData(t *testing.T) {
	const patience = 200 * time.Millisecond
	tests := []struct {
		name string
		wire string // sent again and again
	}{
		{"one frame", strings.Repeat("x", 64<<10)}, // opcode 8, 120 bytes: many malformed frames
		{"frame of 2^63-1 bytes", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + strings.Repeat("x", 64<<10)},
		{"messages", strings.Repeat(raw(Text("a")), 10_000)},
		{"fragments", strings.Repeat(raw(Frame{Opcode: OpText, Part: true, Payload: []byte("a")}), 10_000)},
		{"pings", strings.Repeat(raw(Ping("")), 10_000)},
		{"Close frames", strings.Repeat(raw(CloseFrame(1000, "")), 10_000)},
		{"malformed", strings.Repeat("\xff\x00", 10_000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { // one after the other: each fills a core
			o := serve(t, func(c *conn) {
				c.upgrade()
				go io.Copy(io.Discard, c.in) // until the peer resets
				for {
					if _, err := io.WriteString(c, test.wire); err != nil {
						return
					}
				}
			})
			o.Patience = patience
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := play(t, o, Opened(Trigger{}, AwaitEnd{})...)
			runtime.GC()
			runtime.ReadMemStats(&after)
			within(t, "the end", r.Stopped, patience)
			if r.Ending != Open || r.BytesRead < 64<<10 {
				t.Errorf("%s after %d bytes", r.Ending, r.BytesRead)
			}
			if len(r.Trace) > keepFrames+keepCloses+16 || len(r.Messages) > keepMessages || len(r.Closes) > keepCloses ||
				len(r.Malformed) > keepMalformed {
				t.Errorf("kept: %d events, %d messages, %d Close frames, %d malformed", len(r.Trace), len(r.Messages),
					len(r.Closes), len(r.Malformed))
			}
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			runtime.KeepAlive(r)
		})
	}
}

// TestEndsAtEveryStage: wherever the server's FIN or RST comes, the peer ends
// at once and says so.
func TestEndsAtEveryStage(t *testing.T) {
	stages := []struct {
		name string
		tls  bool
		err  string // how the error begins; empty: none, the end is the record's
		to   func(*conn)
	}{
		{"on accept", false, "await upgrade: the server ended TCP", func(c *conn) { _, _ = c.in.Peek(1) }},
		{"after the request", false, "await upgrade: the server ended TCP", func(c *conn) { c.accept() }},
		{"inside the response", false, "await upgrade: the server ended TCP", func(c *conn) { c.write(c.accept()[:40]) }},
		{"after the upgrade", false, "", func(c *conn) { c.upgrade() }},
		{"inside a frame", false, "", func(c *conn) { c.upgrade(); c.write("\x81\x7e\x01") }},
		{"inside a payload", false, "", func(c *conn) { c.upgrade(); c.write("\x88\x05\x03\xe8b") }},
		{"before the TLS handshake", true, "connect: TLS handshake: ", func(c *conn) { _, _ = c.tcp.Read(make([]byte, 1)) }},
		{"inside the TLS handshake", true, "connect: TLS handshake: ", func(c *conn) {
			_, _ = c.tcp.Read(make([]byte, 4<<10))
			_, _ = c.tcp.Write([]byte{22, 3, 3, 0, 122, 2, 0})
		}},
		{"after the TLS handshake", true, "await upgrade: the server ended TCP", func(c *conn) { _, _ = c.in.Peek(1) }},
		{"after the upgrade, TLS", true, "", func(c *conn) { c.upgrade() }},
	}
	for _, stage := range stages {
		for _, ending := range []Ending{FIN, RST} {
			t.Run(stage.name+" "+string(ending), func(t *testing.T) {
				t.Parallel()
				listen := serve
				if stage.tls {
					listen = serveTLS
				}
				upgraded := make(chan struct{})
				o := listen(t, func(c *conn) {
					stage.to(c)
					if stage.err == "" {
						<-upgraded // so that the peer is past the trigger
					}
					if ending == FIN {
						c.fin()
						_, _ = io.Copy(io.Discard, c.tcp)
					} else {
						c.rst()
					}
				})
				r := Run(t.Context(), Opened(Trigger{}, tell(upgraded), AwaitEnd{}), o)
				if !strings.HasPrefix(r.Err, stage.err) || (r.Err == "") != (stage.err == "") || r.Ending != ending {
					t.Errorf("%s, error %q", r.Ending, r.Err)
					dump(t, r)
				}
				if stage.err == "await upgrade: the server ended TCP" && !strings.HasSuffix(r.Err, "("+string(ending)+")") {
					t.Errorf("error %q", r.Err)
				}
				within(t, "the end", r.Stopped, 0)
			})
		}
	}
}

// TestDripDoesNotProlong: bytes that come restart no deadline.
func TestDripDoesNotProlong(t *testing.T) {
	const patience = 200 * time.Millisecond
	for name, wire := range map[string]string{
		"a byte of a frame": "a", "pings": "\x89\x00", "messages": "\x81\x01a", "Close frames": "\x88\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, func(c *conn) {
				c.upgrade()
				if len(wire) == 1 {
					c.write("\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00")
				}
				for {
					if _, err := io.WriteString(c, wire); err != nil {
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
			o.Patience = patience
			r := play(t, o, Opened(Trigger{}, AwaitEnd{})...)
			within(t, "the end", r.Stopped, patience)
			if r.Ending != Open || r.EndedAt != r.Stopped || r.BytesRead < 140 {
				t.Errorf("%s at %s, %d bytes", r.Ending, r.EndedAt, r.BytesRead)
			}
		})
	}
}

// TestBlockedWrites: a server that reads nothing holds no step past the
// deadline, not even the close_notify of a TLS peer.
func TestBlockedWrites(t *testing.T) {
	const patience = 300 * time.Millisecond
	fill := SendUntilBlocked{Frame: Filler(64 << 10), Max: 64 << 20, Stall: 30 * time.Millisecond}
	tests := []struct {
		name   string
		script Script
	}{
		{"send", Script{Send{Filler(8 << 20)}}},
		{"keep sending", Script{KeepSending{Frame: Filler(64 << 10)}}},
		{"stall longer than the patience", Script{SendUntilBlocked{Frame: Filler(64 << 10), Max: 64 << 20, Stall: never}, AwaitEnd{}}},
		{"send until blocked, then FIN", Script{fill, HalfClose{}, AwaitEnd{}}},
		{"drip slower than the patience", Script{SendPart{Frame: Text("abc"), Every: 3 * time.Second}}},
	}
	for _, test := range tests {
		for _, tls := range []bool{false, true} {
			name, listen := test.name, serve
			if tls {
				name, listen = name+", TLS", serveTLS
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := listen(t, func(c *conn) { c.upgrade(); <-c.over })
				o.Patience = patience
				r := Run(t.Context(), Opened(append(Script{Trigger{}}, test.script...)...), o)
				if r.Err != "" || r.Ending != Open {
					t.Errorf("%s, error %q", r.Ending, r.Err)
				}
				within(t, "the end", r.Stopped, patience)
			})
		}
	}
}

// TestTLSAfterAStuckWrite: half a record was sent, so nothing can follow it,
// and the script says so instead of ending early.
func TestTLSAfterAStuckWrite(t *testing.T) {
	t.Parallel()
	fill := SendUntilBlocked{Frame: Filler(64 << 10), Max: 64 << 20, Stall: 30 * time.Millisecond}
	o := serveTLS(t, func(c *conn) { c.upgrade(); <-c.over })
	r := Run(t.Context(), Opened(Trigger{}, fill, Send{Text("a")}, AwaitEnd{}), o)
	if r.Err != `send text "a": TLS sends nothing more after a write that was stuck` {
		t.Errorf("error %q", r.Err)
	}
}

// TestReadsWhileItsWritesAreStuck: the server's Close frame and FIN are dated
// though the peer is blocked in a write.
func TestReadsWhileItsWritesAreStuck(t *testing.T) {
	t.Parallel()
	o := serve(t, func(c *conn) {
		c.upgrade()
		_, _ = c.in.Peek(1)
		c.send(Ping("a"), CloseFrame(1001, ""))
		c.fin()
		<-c.over
	})
	o.Patience = time.Second
	r := play(t, o, Opened(Trigger{}, Send{Filler(8 << 20)})...)
	if len(r.Closes) != 1 || r.FIN == nil || *r.FIN > o.Patience-100*time.Millisecond {
		t.Errorf("%v, FIN %v", r.Closes, r.FIN)
	}
}
