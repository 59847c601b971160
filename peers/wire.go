package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// wire is the peer's connection: TCP with a tap that dates FIN and RST, and
// TLS on top where the target is wss. Under TLS the tap sees the bare FIN that
// [tls.Conn] cannot tell from a close_notify.
type wire struct {
	*net.TCPConn
	top   net.Conn // what carries the frames: the tap, or TLS over it
	onEnd func(how Ending, kind EventKind, what string)

	onWrite func()                 // called before data or FIN is sent; nil until connected
	onData  atomic.Pointer[func()] // called when data has come; nil: nobody asks

	finSent        atomic.Bool // by the peer, or its descriptor is closed: an EPIPE is then its own doing
	readingStopped atomic.Bool
	keepBack       atomic.Int32                // bytes that the next write leaves out: a TLS record is cut
	pace           atomic.Pointer[SlowReading] // nil: it reads as fast as it can
	closed         chan struct{}               // closed with the descriptor
	closeOnce      sync.Once
}

// connect dials TCP, without keepalive, until the context's deadline; prepare is
// called before connect(2), for a host of several addresses more than once.
func connect(ctx context.Context, address string, prepare func(fd uintptr) error, onEnd func(Ending, EventKind, string)) (*wire, error) {
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = prepare(fd) }); cerr != nil {
			return cerr
		}
		return err
	}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, AsShortage(err)
	}
	w := &wire{TCPConn: c.(*net.TCPConn), onEnd: onEnd, closed: make(chan struct{})}
	w.top = tap{w}
	return w, nil
}

// tap is the connection as TLS and the frame reader see it.
type tap struct{ *wire }

// Read reads from TCP and dates the end. Once reading is stopped it only
// watches the connection, until that is closed.
func (t tap) Read(b []byte) (int, error) {
	for !t.readingStopped.Load() {
		pace := t.pace.Load()
		if pace != nil {
			b = b[:min(len(b), pace.Bytes)]
			if !t.pauseRead(pace.Every) {
				return 0, net.ErrClosed
			}
		}
		n, err := t.TCPConn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = t.SetReadDeadline(time.Time{})
			continue // interrupted: reading was stopped or slowed
		}
		if err != nil {
			t.dateError(err)
		}
		if f := t.onData.Load(); f != nil && n > 0 {
			(*f)()
		}
		return n, err
	}
	t.watch()
	return 0, net.ErrClosed
}

// pauseRead waits between two reads of a slow reader; false: the peer has closed
// its descriptor meanwhile.
func (w *wire) pauseRead(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.closed:
		return false
	}
}

// Write writes to TCP.
func (t tap) Write(b []byte) (int, error) {
	if t.onWrite != nil {
		t.onWrite()
	}
	kept := min(int(t.keepBack.Swap(0)), len(b))
	n, err := t.TCPConn.Write(b[:len(b)-kept])
	if err != nil {
		t.dateError(err)
		return n, err
	}
	return len(b), nil
}

// Write sends bytes to the server, through TLS where there is one.
func (w *wire) Write(b []byte) (int, error) { return w.top.Write(b) }

// dateError dates the end that an error of read(2) or write(2) tells. EOF on a
// socket that is closed need not be a FIN alone: see [wire.dateClosed].
func (w *wire) dateError(err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
	case errors.Is(err, io.EOF) && (w.finSent.Load() || !w.tcpClosed()):
		w.onEnd(FIN, EventFIN, "FIN")
	case errors.Is(err, io.EOF):
		w.dateClosed()
	case isReset(err):
		w.onEnd(RST, EventRST, "RST")
	case errors.Is(err, syscall.EPIPE):
		if !w.finSent.Load() {
			w.onEnd(RST, EventRST, "RST")
		}
	default:
		w.onEnd(Broken, EventEnd, "connection broken: "+errno(err))
	}
}

func isReset(err error) bool {
	const wsaConnReset, wsaConnAborted = syscall.Errno(10054), syscall.Errno(10053) // Windows Sockets error codes
	var n syscall.Errno
	errors.As(err, &n)
	return n == syscall.ECONNRESET || runtime.GOOS == "windows" && (n == wsaConnReset || n == wsaConnAborted)
}

func errno(err error) string {
	var n syscall.Errno
	if errors.As(err, &n) {
		return n.Error()
	}
	return err.Error()
}

// end closes the descriptor: quietly after both FINs, else with one RST.
func (w *wire) end(quietly bool) {
	w.finSent.Store(true)
	if !quietly {
		_ = w.SetLinger(0)
	}
	_ = w.Close()
	w.closeOnce.Do(func() { close(w.closed) })
}

// closeNotify sends close_notify where there is TLS.
func (w *wire) closeNotify() error {
	if c, ok := w.top.(*tls.Conn); ok {
		return c.CloseWrite()
	}
	return nil
}

// halfClose sends FIN.
func (w *wire) halfClose() error {
	w.onWrite()
	w.finSent.Store(true)
	return w.CloseWrite()
}

func (w *wire) addrs() (peer, server netip.AddrPort) {
	at := func(a net.Addr) netip.AddrPort {
		ap := a.(*net.TCPAddr).AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return at(w.LocalAddr()), at(w.RemoteAddr())
}

// stopReading lets arriving bytes fill the receive buffer from now on; it
// interrupts a read under way.
func (w *wire) stopReading() {
	w.readingStopped.Store(true)
	_ = w.SetReadDeadline(time.Unix(1, 0))
}

// slowReading paces the reads from now on; it interrupts one under way.
func (w *wire) slowReading(s SlowReading) {
	w.pace.Store(&s)
	_ = w.SetReadDeadline(time.Unix(1, 0))
}

// watch blocks until TCP is closed in both directions, by FINs or by an RST,
// without reading. It needs the kernel's events for that ([watchable]).
func (w *wire) watch() {
	raw, err := w.SyscallConn()
	if err != nil || watchable() != nil {
		return
	}
	for err = os.ErrDeadlineExceeded; errors.Is(err, os.ErrDeadlineExceeded); { // which interrupts a read
		_ = w.SetReadDeadline(time.Time{})
		err = raw.Read(func(fd uintptr) bool {
			state := tcpState(fd)
			if state == tcpCloseWait {
				w.onEnd(FIN, EventFIN, "FIN")
			}
			return state == tcpClose
		})
	}
	if err == nil { // else the peer closed its descriptor
		w.dateClosed()
	}
}

// dateClosed dates what closed TCP in both directions. The socket's error is EPIPE
// where an RST followed the server's FIN (tcp_reset in net/ipv4/tcp_input.c).
// It is gone where another call was told of a reset; then no FIN came, unless
// the peer sent its own.
func (w *wire) dateClosed() {
	switch err := w.socketError(); {
	case err == nil && w.finSent.Load():
		w.onEnd(FIN, EventFIN, "FIN")
		w.onEnd(bothClosed, EventEnd, "TCP closed in both directions")
	case errors.Is(err, syscall.EPIPE):
		w.onEnd(FIN, EventFIN, "FIN")
		w.onEnd(RST, EventRST, "RST")
	case err == nil, isReset(err):
		w.onEnd(RST, EventRST, "RST")
	default:
		w.onEnd(Broken, EventEnd, "connection broken: "+errno(err))
	}
}

// bothClosed tells that each side has sent FIN.
const bothClosed Ending = "closed"

// control runs f on the descriptor; 0 where it is closed.
func (w *wire) control(f func(fd uintptr)) {
	if raw, err := w.SyscallConn(); err == nil {
		_ = raw.Control(f)
	}
}

func (w *wire) tcpClosed() (closed bool) {
	w.control(func(fd uintptr) { closed = watchable() == nil && tcpState(fd) == tcpClose })
	return closed
}

func (w *wire) socketError() (err error) {
	w.control(func(fd uintptr) { err = takeError(fd) })
	return err
}

func (w *wire) dropped() (n uint32, err error) {
	w.control(func(fd uintptr) { n, err = drops(fd) })
	return n, err
}
