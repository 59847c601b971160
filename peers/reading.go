package peers

import (
	"context"
	"fmt"
	"time"
)

// StopReading lets what the server sends fill the receive buffer.
type StopReading struct{}

// Do implements [Step].
func (StopReading) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.recording.note(p.now(), Local, EventReading, "stopped reading") })
	p.wire.stopReading()
	return nil
}

func (StopReading) String() string { return "stop reading" }

// SlowReading reads from now on Bytes at most, then nothing for Every.
type SlowReading struct {
	Bytes int
	Every time.Duration
}

// Do implements [Step].
func (s SlowReading) Do(_ context.Context, p *Peer) error {
	p.update(func() { p.recording.note(p.now(), Local, EventReading, s.String()) })
	p.wire.slowReading(s)
	return nil
}

func (s SlowReading) String() string { return fmt.Sprintf("read %d bytes every %s", s.Bytes, s.Every) }
