package rules_test

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// profileLine reads limits and conventions, by the names of the flags of finwait run.
func profileLine(p *rules.Profile, s *scanner) error {
	for !s.done() {
		switch s.word() {
		case "close-timeout":
			p.CloseTimeout = s.duration()
		case "response":
			p.Response = s.duration()
		case "stop-timeout":
			p.StopTimeout = s.duration()
		case "ping-interval":
			p.PingInterval = s.duration()
		case "shutdown-code":
			p.ShutdownCodes = append(p.ShutdownCodes, s.number())
		case "event-no-code":
			p.NoCode = rules.Convention{Declared: true, Code: s.code()}
		case "event-lost-code":
			p.LostCode = rules.Convention{Declared: true, Code: s.code()}
		case "event-kill-untold":
			p.KillUntold = true
		default:
			s.fail()
		}
	}
	return s.err("profile")
}

// recordLine reads a line that is about one peer, also of a crowd.
func recordLine(r *evidence.Record, key, value string) error {
	s := &scanner{words: fields(value)}
	switch key {
	case "connection":
		connectionLine(r, s)
	case "status":
		r.Status = s.number()
	case "sent":
		sentLine(r, s)
	case "received":
		receivedLine(r, s)
	case "echo": // of which the message itself was not kept
		r.Echoes[s.word()]++
	case "looked":
		r.Stopped = s.duration()
		if r.Ending == peers.Open {
			r.EndedAt = r.Stopped
		}
	case "gave-up":
		r.GaveUp, r.Stopped = true, s.at()
	case "ending": // it has no line of its own where an end was received, or TCP is open
		s.expect("unseen")
		r.Ending = peers.Unseen
	case "dropped": // while the peer was dark
		r.Dropped = uint32(s.number()) //nolint:gosec // a test's own number
		s.expect("segments")
	case "socket":
		r.Socket = socketLine(s)
	case "event":
		r.Events.Asked = true
		r.Events.List = append(r.Events.List, eventLine(r, s))
	case "events":
		eventsLine(r, s)
	default:
		return fmt.Errorf("%q is no key", key)
	}
	return s.err(key)
}

func connectionLine(r *evidence.Record, s *scanner) {
	switch s.word() {
	case "refused":
		r.Record.Refused, r.Status = true, 0
	case "cut":
		s.expect("short")
		r.CutShort, r.Status = peers.Script{peers.ConnectAfter{}}, 0
	case "made":
		at := s.at()
		r.Connected, r.Status = &at, 0
	default:
		s.fail()
	}
}

func sentLine(r *evidence.Record, s *scanner) {
	switch what := s.word(); what {
	case "close":
		r.CloseSent = append(r.CloseSent, s.closeFrame())
	case "FIN":
		at := s.at()
		r.PeerFIN = &at
	default:
		s.fail()
	}
}

func receivedLine(r *evidence.Record, s *scanner) {
	end := func(how peers.Ending, seen **time.Duration) {
		at := s.at()
		if seen != nil {
			*seen = &at
		}
		if r.Ending == peers.Open {
			r.Ending, r.EndedAt = how, at
		}
	}
	switch s.word() {
	case "close":
		r.Closes = append(r.Closes, s.closeFrame())
	case "text":
		text := s.word()
		m := peers.Message{Text: true, Payload: []byte(text), Length: uint64(len(text))}
		if m.At = s.at(); len(r.Closes) > 0 {
			r.AfterClose++
		}
		r.Messages = append(r.Messages, m)
		r.Echoes[text]++
		r.Lengths[m.Length]++
		if _, came := r.FirstAt[text]; !came {
			r.FirstAt[text] = m.At
		}
	case "FIN":
		end(peers.FIN, &r.FIN)
	case "RST":
		end(peers.RST, &r.RST)
	case "error":
		end(peers.Broken, nil)
	case "close_notify":
		at := s.at()
		r.CloseNotify = &at
	default:
		s.fail()
	}
}

// socketLine reads "held for 3s", "held for 3s, 1s less at most", or "still held
// after 35s in FIN_WAIT2"; behind it may stand "by probes", and then there is no state;
// "no answer": to no probe.
func socketLine(s *scanner) evidence.Socket {
	out := evidence.Socket{Observed: true, By: evidence.Kernel, Accepted: true}
	if n := len(s.words); n > 2 && s.words[n-2] == "by" {
		out.By, s.words = evidence.Witness(s.words[n-1]), s.words[:n-2]
	}
	switch s.word() {
	case "no":
		s.expect("answer")
		return evidence.Combine([]peers.Look{{State: peers.Unknown}})
	case "still":
		s.expect("held", "after")
		out.Held = evidence.Survival{Until: s.duration(), Censored: true}
		if out.By == evidence.Kernel {
			s.expect("in")
			out.State = s.word()
		}
		if !s.done() {
			s.expect("events", "lost")
			out.Lost = true
		}
	case "held":
		s.expect("for")
		out.Held.Until = s.duration()
		if !s.done() {
			out.Held.Bound = s.duration()
			s.expect("less", "at", "most")
		}
	default:
		s.fail()
	}
	return out
}

func eventLine(r *evidence.Record, s *scanner) (e evidence.AppEvent) {
	for !s.done() {
		switch s.word() {
		case "code":
			e.Code = s.code()
		case "reason":
			reason := s.word()
			e.Reason = &reason
		case "clean":
			clean := true
			e.Clean = &clean
		case "not":
			s.expect("clean")
			clean := false
			e.Clean = &clean
		case "error":
			e.Error = s.word()
		case "at":
			at := r.Trigger.Add(s.duration())
			e.At = &at
		default:
			s.fail()
		}
	}
	return e
}

func eventsLine(r *evidence.Record, s *scanner) {
	r.Events.Asked = true
	switch s.word() {
	case "none":
	case "failed":
		r.Events.Err = s.word()
	case "answered":
		r.Events.Came = r.Trigger.Add(s.at())
		if !s.done() {
			s.expect("none")
			r.Events.None = r.Trigger.Add(s.at())
		}
	default:
		s.fail()
	}
}

// exitLine reads "status 0 at 3s", "killed at 35s", or "not observed"; behind it
// may stand "all at 5s", or "left at 35s".
func exitLine(s *scanner) *evidence.Exit {
	e := &evidence.Exit{Observed: true}
	switch s.word() {
	case "not":
		s.expect("observed")
		return &evidence.Exit{}
	case "killed":
		e.Killed = true
	case "status":
		e.Status = s.number()
		e.Words = fmt.Sprintf("exit status %d", e.Status)
	default:
		s.fail()
	}
	e.At = s.at()
	e.Gone = e.At
	if !s.done() {
		switch s.word() {
		case "left":
			e.Left = true
		case "all":
		default:
			s.fail()
		}
		e.Gone = s.at()
	}
	return e
}

func aliveLine(s *scanner) (out evidence.Liveness) {
	switch s.word() {
	case "answered":
		s.expect("in")
		return evidence.Liveness{Tried: true, OK: true, Took: s.duration()}
	case "failed":
		return evidence.Liveness{Tried: true, Err: s.word()}
	case "short":
		return evidence.Liveness{Short: true, Err: s.word()}
	case "not":
		s.expect("tried")
	default:
		s.fail()
	}
	return out
}
