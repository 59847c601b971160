package peers

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// event handles what epoll tells of a member.
func (s *swarm) event(i int, what uint32, at time.Duration) {
	m := &s.all[i]
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
	if m.blind {
		s.look(m, what, at)
		return
	}
	for m.phase != over && !m.blind {
		n, err := unix.Read(m.fd, s.buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
		case isReset(err), errors.Is(err, unix.EPIPE):
			s.ends(m, i, RST, at)
		case err != nil:
			m.Err = "connection broken: " + errno(err)
			s.ends(m, i, Broken, at)
		case n == 0:
			s.ends(m, i, FIN, at)
			if m.phase == joined && what&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && takeError(uintptr(m.fd)) != nil {
				s.ends(m, i, RST, at) // behind the FIN
			}
			return
		case m.phase == upgrading:
			s.upgrade(m, i, s.buf[:n])
		default:
			m.decoder.feed(s.buf[:n])
		}
	}
}

// look dates the end of a member that does not read.
func (s *swarm) look(m *one, what uint32, at time.Duration) {
	if what&unix.EPOLLRDHUP != 0 && m.FIN == 0 && what&unix.EPOLLERR == 0 {
		m.FIN = at
	}
	if what&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && m.RST == 0 {
		m.RST = at
		s.drop(m, false)
	}
}

// frame reacts to a frame of the server.
func (s *swarm) frame(m *one, h Header, payload []byte) {
	switch {
	case h.Opcode == OpPing && !m.closed:
		_, _ = unix.Write(m.fd, Frame{Opcode: OpPong, Payload: payload}.Encode())
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
			_, _ = unix.Write(m.fd, CloseBody(payload[:min(2, len(payload))]).Encode())
		}
	}
}

// ends dates an end of TCP by the server.
func (s *swarm) ends(m *one, i int, how Ending, at time.Duration) {
	if m.phase == upgrading {
		s.fail(i, fmt.Errorf("the server ended the handshake (%s)", how))
		return
	}
	if !s.fired {
		m.Lost = true
	}
	switch {
	case how == Broken:
		s.drop(m, false)
	case how == RST:
		m.RST = at
		s.drop(m, false)
	case m.FIN == 0:
		if m.FIN = at; m.Kind == Polite || m.Lost {
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
