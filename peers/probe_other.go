//go:build !linux

package peers

import "time"

func boundRetransmission(uintptr) error { return unsupported("bound the retransmission timeout") }

// RTOMax tells why a peer cannot bound its retransmission timeout on this host.
func RTOMax() error { return boundRetransmission(0) }

func reportAcks(uintptr) error { return unsupported("be told of an ACK") }

// awaitAck is [wire.pollAck]: this system has no event for an ACK.
func (w *wire) awaitAck(limit time.Time, over func() bool) bool { return w.pollAck(limit, over) }

func keepalive(uintptr) error { return unsupported("see what answers keepalive probes") }

func (w *wire) segments() (segments, error) { return segments{}, unsupported("count segments") }

func (w *wire) kernelRoundTrip() time.Duration { return 0 }

func (w *wire) sinceAck() time.Duration { return 0 }
