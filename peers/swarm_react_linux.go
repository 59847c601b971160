package peers

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// event handles what epoll has told of a member, and reads it a few times.
func (s *swarm) event(m *one) {
	what, i := m.told, m.index
	m.told = 0
	if m.phase == connecting && what&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if err := takeError(uintptr(m.fd)); err != nil {
			s.fail(i, err)
			return
		}
		if err := s.ask(m, i); err != nil {
			s.fail(i, err)
			return
		}
	}
	if m.phase != upgrading && m.phase != joined {
		return
	}
	if m.flush(); m.blind {
		s.look(m, what)
		return
	}
	for range readMost {
		n, err := unix.Read(m.fd, s.buf[:])
		if n == 0 && err == nil && m.taken != nil && !errors.Is(m.taken, unix.EPIPE) {
			err = m.taken
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
			if m.phase == joined && (m.taken != nil || what&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && takeError(uintptr(m.fd)) != nil) {
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
	m.told, m.at = m.told|what, s.now()
	s.later(m)
}

// look dates the end of a member that does not read.
func (s *swarm) look(m *one, what uint32) {
	if what&unix.EPOLLRDHUP != 0 && m.FIN == 0 && what&unix.EPOLLERR == 0 && !isReset(m.taken) {
		m.FIN = m.at
	}
	if what&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && m.RST == 0 {
		m.RST = m.at
		s.drop(m, false)
	}
}

// frame reacts to a frame of the server.
func (s *swarm) frame(m *one, h Header, payload []byte) {
	switch {
	case h.Opcode == OpPing && !m.closed:
		m.pong = Frame{Opcode: OpPong, Payload: payload}.Encode() // of several Pings the last is answered (RFC 6455, 5.5.3)
	case h.Opcode == OpClose && m.Told == 0:
		c := Close{Body: payload}
		code, ok := c.Code()
		if !ok {
			code, payload = -1, nil
		}
		m.Told, m.Code = s.now(), code
		switch {
		case m.Kind == Resets:
			s.drop(m, true)
		case m.Kind != Ignores && !m.closed:
			m.closed = true
			m.send(CloseBody(payload[:min(2, len(payload))]).Encode())
		}
	}
}

// send sends b. What the kernel does not take at once waits, and the next waits
// behind it: it would stand inside a frame.
func (m *one) send(b []byte) {
	m.out = append(m.out, b...)
	m.flush()
}

// flush sends what waits, and then the last Pong; epoll tells when there is room
// for more.
func (m *one) flush() {
	if m.closed {
		m.pong = nil
	}
	for m.phase != over && len(m.out)+len(m.pong) > 0 {
		if len(m.out) == 0 {
			m.out, m.pong = m.pong, nil
		}
		n := m.write(m.out)
		if m.out = m.out[n:]; n == 0 {
			return
		}
	}
	m.out = nil // not the memory of what was sent
}

// write returns how much of b the kernel took. A write that fails takes the
// socket's error: a read behind it would tell of a FIN where there was an RST.
func (m *one) write(b []byte) int {
	n, err := unix.Write(m.fd, b)
	if err != nil {
		if m.taken == nil && !errors.Is(err, unix.EAGAIN) {
			m.taken = err
		}
		return 0
	}
	return n
}

// ends dates an end of TCP by the server.
func (s *swarm) ends(m *one, how Ending) {
	if m.phase == upgrading {
		s.fail(m.index, fmt.Errorf("the server ended the handshake (%s)", how))
		return
	}
	if !s.fired {
		m.Lost = true
	}
	switch {
	case how == Broken:
		s.drop(m, false)
	case how == RST:
		m.RST = m.at
		s.drop(m, false)
	case m.FIN == 0:
		if m.FIN = m.at; m.Kind == Polite || m.Lost {
			s.drop(m, true) // both have sent FIN
		} else {
			// The ACK of the FIN may be 40 ms late, and the server's kernel keeps the
			// socket until then.
			_ = unix.SetsockoptInt(m.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		}
	}
}

// drop closes a descriptor: quietly after the server's FIN, else with RST.
func (s *swarm) drop(m *one, quietly bool) {
	if m.fd < 0 {
		return
	}
	if !quietly || m.FIN == 0 {
		_ = unix.SetsockoptLinger(m.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	_ = unix.Close(m.fd)
	m.fd, m.phase = -1, over
}
