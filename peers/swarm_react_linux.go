package peers

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// event handles the pending events of a member, and reads from it a few times.
func (s *swarm) event(m *member) {
	events, i := m.pendingEvents, m.index
	m.pendingEvents = 0
	if m.phase == connecting && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if err := takeError(uintptr(m.fd)); err != nil {
			s.fail(i, err)
			return
		}
		if err := s.sendRequest(m, i); err != nil {
			s.fail(i, err)
			return
		}
	}
	if m.phase != upgrading && m.phase != joined {
		return
	}
	if m.flush(); m.stoppedReading {
		s.dateEnd(m, events)
		return
	}
	for range readsPerTurn {
		n, err := unix.Read(m.fd, s.buf[:])
		if n == 0 && err == nil && m.writeErr != nil && !errors.Is(m.writeErr, unix.EPIPE) {
			err = m.writeErr
		}
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
		case isReset(err), errors.Is(err, unix.EPIPE):
			s.ends(m, RST)
		case err != nil:
			m.Err = "connection broken: " + errno(err)
			s.ends(m, Broken)
		case n == 0:
			s.ends(m, FIN)
			if m.phase == joined && (m.writeErr != nil || events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && takeError(uintptr(m.fd)) != nil) {
				s.ends(m, RST) // behind the FIN
			}
			return
		case m.phase == upgrading:
			s.upgrade(m, i, s.buf[:n])
		default:
			m.decoder.feed(s.buf[:n])
		}
		if m.flush(); m.phase == over { // the last Pong
			return
		}
	}
	m.pendingEvents, m.at = m.pendingEvents|events, s.now()
	s.later(m)
}

// dateEnd dates the end of a member that does not read.
func (s *swarm) dateEnd(m *member, events uint32) {
	if events&unix.EPOLLRDHUP != 0 && m.FIN == 0 && events&unix.EPOLLERR == 0 && !isReset(m.writeErr) {
		m.FIN = m.at
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && m.RST == 0 {
		m.RST = m.at
		s.drop(m, false)
	}
}

// frame reacts to a frame of the server.
func (s *swarm) frame(m *member, h Header, payload []byte) {
	switch {
	case h.Opcode == OpPing && !m.closeSent:
		m.pong = Frame{Opcode: OpPong, Payload: payload}.Encode() // of several Pings the last is answered (RFC 6455, 5.5.3)
	case h.Opcode == OpClose && m.CloseAt == 0:
		c := Close{Body: payload}
		code, ok := c.Code()
		if !ok {
			code, payload = -1, nil
		}
		m.CloseAt, m.Code = s.now(), code
		switch {
		case m.Kind == Resets:
			s.drop(m, true)
		case m.Kind != Ignores && !m.closeSent:
			m.closeSent = true
			m.send(CloseBody(payload[:min(2, len(payload))]).Encode())
		}
	}
}

// send sends b. What the kernel does not take at once waits, and the next waits
// behind it: it would stand inside a frame.
func (m *member) send(b []byte) {
	m.unsent = append(m.unsent, b...)
	m.flush()
}

// flush sends what waits, and then the last Pong; epoll tells when there is room
// for more.
func (m *member) flush() {
	if m.closeSent {
		m.pong = nil
	}
	for m.phase != over && len(m.unsent)+len(m.pong) > 0 {
		if len(m.unsent) == 0 {
			m.unsent, m.pong = m.pong, nil
		}
		n := m.write(m.unsent)
		if m.unsent = m.unsent[n:]; n == 0 {
			return
		}
	}
	m.unsent = nil // not the memory of what was sent
}

// write returns how much of b the kernel took. A write that fails takes the
// socket's error: a read behind it would tell of a FIN where there was an RST.
func (m *member) write(b []byte) int {
	n, err := unix.Write(m.fd, b)
	if err != nil {
		if m.writeErr == nil && !errors.Is(err, unix.EAGAIN) {
			m.writeErr = err
		}
		return 0
	}
	return n
}

// ends dates an end of TCP by the server.
func (s *swarm) ends(m *member, how Ending) {
	if m.phase == upgrading {
		s.fail(m.index, fmt.Errorf("the server ended the handshake (%s)", how))
		return
	}
	if !s.triggered {
		m.EndedEarly = true
	}
	switch {
	case how == Broken:
		s.drop(m, false)
	case how == RST:
		m.RST = m.at
		s.drop(m, false)
	case m.FIN == 0:
		if m.FIN = m.at; m.Kind == Polite || m.EndedEarly {
			s.drop(m, true) // both have sent FIN
		} else {
			// The ACK of the FIN may be 40 ms late, and the server's kernel keeps the
			// socket until then.
			_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		}
	}
}

// drop closes a descriptor: quietly after the server's FIN, else with RST.
func (s *swarm) drop(m *member, quietly bool) {
	if m.fd < 0 {
		return
	}
	if !quietly || m.FIN == 0 {
		_ = unix.SetsockoptLinger(m.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	_ = unix.Close(m.fd)
	m.fd, m.phase = -1, over
}
