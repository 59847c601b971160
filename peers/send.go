package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Send sends frames in one write.
type Send []Frame

// Do implements [Step]. It blocks while the send buffer is full.
func (s Send) Do(ctx context.Context, p *Peer) error {
	return p.send(ctx, EventFrame, join(s), encode(s), s...)
}

func (s Send) String() string { return "send " + join(s) }

// SendLast sends frames and FIN, and reads on. Where the host can hold frames
// back (TCP_CORK in tcp(7)) both go in one segment, if they fit: no server then
// sees one without the other.
type SendLast []Frame

// Do implements [Step]. It blocks while the send buffer is full.
func (s SendLast) Do(ctx context.Context, p *Peer) error {
	p.wire.control(cork)
	if err := Send(s).Do(ctx, p); err != nil {
		return err
	}
	return HalfClose{}.Do(ctx, p)
}

func (s SendLast) String() string { return "send " + join(s) + " + FIN, read on" }

// SendPart begins a frame: all but its last Leave bytes, in one write or, with
// Every, a byte at a time. [SendRest] sends what is left.
type SendPart struct {
	Frame Frame
	Leave int
	Every time.Duration
}

// Do implements [Step].
func (s SendPart) Do(ctx context.Context, p *Peer) error {
	b := s.Frame.Encode()
	cut := max(0, len(b)-s.Leave)
	b, rest := b[:cut], b[cut:]
	p.update(func() { p.live.partialFrame, p.live.unsent = s.Frame, rest })
	if s.Every == 0 {
		return p.send(ctx, EventFrame, s.String(), b)
	}
	next := time.Now()
	for i := range b {
		if err := p.send(ctx, EventFrame, fmt.Sprintf("byte %d of %d of %s", i+1, len(b)+len(rest), s.Frame), b[i:i+1]); err != nil {
			return err
		}
		next = next.Add(s.Every)
		if err := p.pauseUntil(ctx, next); errors.Is(err, errCutShort) {
			return errOver // it dripped for as long as somebody looked
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s SendPart) String() string {
	line := fmt.Sprintf("send all but %d bytes of %s", s.Leave, s.Frame)
	if s.Every > 0 {
		line += fmt.Sprintf(", a byte every %s", s.Every)
	}
	return line
}

// SendRest completes the frame that [SendPart] began.
type SendRest struct{}

// Do implements [Step].
func (s SendRest) Do(ctx context.Context, p *Peer) error {
	b, f := p.live.unsent, p.live.partialFrame
	p.update(func() { p.live.unsent = nil })
	return p.send(ctx, EventFrame, "the rest of "+f.String(), b, f)
}

func (s SendRest) String() string { return "send the rest" }

// SendRecordPart sends a frame in a TLS record that lacks its last bytes. Without
// TLS the frame itself lacks them.
type SendRecordPart struct {
	Frame Frame
	Leave int // bytes
}

// Do implements [Step].
func (s SendRecordPart) Do(ctx context.Context, p *Peer) error {
	p.update(func() { p.live.noPong = true }) // it would stand inside the record
	p.writing.Lock()
	p.wire.keepBack.Store(int32(s.Leave))
	p.writing.Unlock()
	return p.send(ctx, EventFrame, s.String(), s.Frame.Encode())
}

func (s SendRecordPart) String() string {
	return fmt.Sprintf("send all but %d bytes of a TLS record with %s", s.Leave, s.Frame)
}

// KeepSending sends the frame again and again, until the server has ended TCP
// or the patience has run out.
type KeepSending struct {
	Frame Frame
	Every time.Duration
}

// Do implements [Step].
func (s KeepSending) Do(ctx context.Context, p *Peer) error {
	for {
		next := time.Now().Add(s.Every)
		if err := p.send(ctx, EventFrame, s.Frame.String(), s.Frame.Encode(), s.Frame); err != nil {
			return err
		}
		ended := func() bool { return p.live.rst != nil || p.live.ending == Broken || p.live.serverGone && p.live.over() }
		if err := p.awaitUntil(ctx, earlier(next, p.until()), ended); err == nil {
			return nil
		} else if !errors.Is(err, errOver) || !time.Now().Before(p.until()) {
			return err
		}
	}
}

func (s KeepSending) String() string {
	return fmt.Sprintf("keep sending %s every %s", s.Frame, s.Every)
}

// SendUntilBlocked sends the frame until the server takes no more, that is
// until no byte was taken for Stall, or Max bytes have been sent.
type SendUntilBlocked struct {
	Frame Frame
	Max   int
	Stall time.Duration
}

// Do implements [Step].
func (s SendUntilBlocked) Do(ctx context.Context, p *Peer) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	at, sent := p.now(), 0
	b := s.Frame.Encode()
	for sent < s.Max {
		_ = p.wire.SetWriteDeadline(earlier(time.Now().Add(s.Stall), p.until()))
		if ctx.Err() != nil { // see send
			break
		}
		n, err := p.wire.Write(b)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return p.sendError(ctx, err)
		}
	}
	p.update(func() {
		p.live.unsent = b[:0] // possibly inside a frame: no Pong may follow
		p.recording.note(at, Sent, EventFrame, fmt.Sprintf("%d bytes in messages of %d bytes", sent, len(s.Frame.Payload)))
	})
	return context.Cause(ctx)
}

func (s SendUntilBlocked) String() string {
	return fmt.Sprintf("send %s until the server takes no more for %s, at most %d bytes", s.Frame, s.Stall, s.Max)
}

// send writes b, which completes the frames, in one write(2) and notes it. Its
// time is that before the write: on loopback an answer can come before the
// write returns.
func (p *Peer) send(ctx context.Context, kind EventKind, what string, b []byte, frames ...Frame) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	at, line := p.now(), strings.TrimPrefix(what, "send ")
	p.update(func() {
		p.observeSent(at, frames)
		if kind == EventFrame && slices.ContainsFunc(frames, func(f Frame) bool { return f.Opcode == OpClose }) {
			kind = EventClose
		}
		p.recording.noteBounded(at, Sent, kind, line)
	})
	_ = p.wire.SetWriteDeadline(p.until())
	if ctx.Err() != nil { // its cancellation sets a deadline of its own
		return context.Cause(ctx)
	}
	_, err := p.wire.Write(b)
	return p.sendError(ctx, err)
}

func encode(frames []Frame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.Encode()...)
	}
	return b
}

// sendError turns the end of the connection, or of the patience, into errOver.
func (p *Peer) sendError(ctx context.Context, err error) error {
	var alert *net.OpError // "local error" where TLS tells the server what is wrong with its records
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isReset(err), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return errOver
	case errors.As(err, &alert) && alert.Op == "local error":
		return fmt.Errorf("the server broke TLS: %w", alert.Err)
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case time.Now().Before(p.until()):
		return errors.New("TLS sends nothing more after a write that was stuck")
	}
	return errOver
}

func join(frames []Frame) string {
	s := make([]string, len(frames))
	for i, f := range frames {
		s[i] = f.String()
	}
	return strings.Join(s, " + ")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
