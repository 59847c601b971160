package rules

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/peers"
)

// closeSeen describes the server's first Close frame.
func closeSeen(r *evidence.Record) string {
	if len(r.Closes) == 0 {
		return "no Close frame"
	}
	return fmt.Sprintf("%s at %s", r.Closes[0], figures.Format(r.Closes[0].At))
}

// endSeen says how and when the server ended TLS and TCP.
func endSeen(r *evidence.Record) string {
	if r.CloseNotify != nil {
		return "close_notify at " + figures.Format(*r.CloseNotify) + ", " + tcpSeen(r)
	}
	return tcpSeen(r)
}

// tcpSeen says how and when the server ended TCP.
func tcpSeen(r *evidence.Record) string {
	switch r.Ending {
	case peers.Open:
		return "TCP still open after " + figures.Format(r.EndedAt)
	case peers.Unseen:
		return "this peer could not see the end of TCP"
	case peers.Broken:
		return "the connection broke at " + figures.Format(r.EndedAt)
	}
	text := map[peers.Ending]string{peers.FIN: "FIN", peers.RST: "RST"}[r.Ending] + " at " + figures.Format(r.EndedAt)
	if r.Ending == peers.FIN && r.RST != nil {
		text += ", then RST at " + figures.Format(*r.RST)
	}
	return text
}

// ended reports whether the server ended TCP.
func ended(r *evidence.Record) bool { return r.Ending == peers.FIN || r.Ending == peers.RST }

// cannotSeeEnd reports whether the peer had ended its own side, or was dark, before it
// could see an end of TCP by the server.
func cannotSeeEnd(r *evidence.Record) bool { return r.Ending == peers.Unseen }

// unmeasuredEnd is the finding of a rule that needs an end of TCP which the peer could
// not see.
func unmeasuredEnd(r *evidence.Record) Finding {
	return unmeasured(evidence.Sight, closeSeen(r)+"; "+endSeen(r))
}

// endBegan is when the server began to end TCP. Under TLS it begins with close_notify,
// whose answer it may await (RFC 6455, 7.1.1: "cleanly closes the TCP connection, as
// well as the TLS session").
func endBegan(r *evidence.Record) time.Duration {
	if r.CloseNotify != nil {
		return min(*r.CloseNotify, r.EndedAt)
	}
	return r.EndedAt
}
