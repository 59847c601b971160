package peers

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/internal/zone"
)

// maxResponse bounds the head of the handshake response, bytes.
const maxResponse = 64 << 10

// Connect opens TCP and, for wss, TLS.
type Connect struct {
	ReceiveBuffer int  // SO_RCVBUF before connect(2), bytes; 0: the system's
	KeepPort      bool // nobody else gets the local port until the run is over, see [Forget]
}

// Do implements [Step].
func (s Connect) Do(run context.Context, p *Peer) error {
	ctx, cancel := context.WithDeadline(run, p.until())
	defer cancel()
	u := p.opt.URL
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	prepare := func(fd uintptr) (err error) {
		p.mu.Lock()
		p.dialed = time.Now()
		p.mu.Unlock()
		if s.ReceiveBuffer > 0 {
			err = setReceiveBuffer(fd, s.ReceiveBuffer)
		}
		if s.KeepPort && err == nil {
			err = p.keepPort(fd)
		}
		return err
	}
	w, err := connect(ctx, net.JoinHostPort(u.Hostname(), port), prepare, func(how Ending, kind EventKind, what string) {
		p.observeEnd(p.now(), how, kind, what)
	})
	if err != nil {
		return cmp.Or(context.Cause(run), p.hinted(err))
	}
	p.wire, p.stopAfterFunc = w, context.AfterFunc(run, func() { _ = w.SetWriteDeadline(time.Unix(1, 0)) })
	peer, server := w.addrs()
	p.update(func() {
		at := p.now()
		p.roundTrip = cmp.Or(w.kernelRoundTrip(), time.Since(p.dialed))
		p.live.peer, p.live.server, p.live.connected = peer.String(), server.String(), &at
		p.recording.note(at, Local, EventConnect, "connected")
	})
	w.onWrite = p.observeWrite
	if p.opt.Probe != nil {
		p.rtoMax = w.set(boundRetransmission)
	}
	if p.opt.Connected != nil {
		p.sight = p.opt.Connected(peer, server)
	}
	if u.Scheme == "wss" {
		config := &tls.Config{}
		if p.opt.TLS != nil {
			config = p.opt.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = zone.Without(u.Hostname())
		}
		c := tls.Client(w.top, config)
		if err := c.HandshakeContext(ctx); err != nil {
			if run.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				return p.hinted(&TLSTimeoutError{p.opt.Setup})
			}
			if refusal := tlsRefused(err); refusal != nil {
				return p.hinted(refusal)
			}
			return p.hinted(&TLSHandshakeError{cmp.Or(context.Cause(run), err)})
		}
		w.top = c
	}
	p.reading.Go(p.read)
	return nil
}

// keepPort keeps the port that the descriptor is to have.
func (p *Peer) keepPort(fd uintptr) error {
	port, err := keepPort(fd)
	if err != nil {
		return fmt.Errorf("keep the port: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.portHolders = append(p.portHolders, port)
	return nil
}

func (s Connect) String() string {
	out := "connect"
	if s.ReceiveBuffer > 0 {
		out += fmt.Sprintf(" rcvbuf=%d", s.ReceiveBuffer)
	}
	if s.KeepPort {
		out += ", keep the port"
	}
	return out
}

// SendRequest sends the upgrade request (RFC 6455, 4.1) and, in the same write,
// the frames Then. It does not wait for the response.
type SendRequest struct {
	Half bool // only the first half of the bytes
	Then []Frame
}

// Do implements [Step].
func (s SendRequest) Do(ctx context.Context, p *Peer) error {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	p.update(func() { p.live.key = base64.StdEncoding.EncodeToString(nonce[:]) })
	b := p.opt.request(p.live.key)
	if s.Half {
		b = b[:len(b)/2]
	}
	return p.send(ctx, EventHandshake, s.String(), append(b, encode(s.Then)...), s.Then...)
}

func (s SendRequest) String() string {
	out := "send request"
	if s.Half {
		out = "send half of the request"
	}
	if len(s.Then) > 0 {
		out += " + " + join(s.Then)
	}
	return out
}

// AwaitUpgrade waits for the response; anything but a valid 101 is an error.
type AwaitUpgrade struct{}

// Do implements [Step].
func (AwaitUpgrade) Do(ctx context.Context, p *Peer) error {
	if err := p.await(ctx, func() bool { return p.live.upgraded || p.live.handshakeErr != nil || p.live.over() }); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.live.handshakeErr != nil && p.live.triggered && p.live.status != http.StatusSwitchingProtocols && p.live.status != 0:
		return errOver // a refusal is what was seen
	case p.live.handshakeErr != nil:
		return p.live.handshakeErr
	case !p.live.upgraded:
		return errOver
	}
	return nil
}

func (AwaitUpgrade) String() string { return "await upgrade" }

// Opened is the usual beginning of a script: a connection after its handshake.
func Opened(rest ...Step) Script {
	return append(Script{Connect{}, SendRequest{}, AwaitUpgrade{}}, rest...)
}

// request is the upgrade request with that Sec-WebSocket-Key.
func (o *Options) request(key string) []byte {
	u := *o.URL
	if o.Query != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+o.Query, "&")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", u.RequestURI())
	h := o.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	host := zone.Without(u.Host)
	if given := h.Get("Host"); given != "" {
		host = given
		h.Del("Host")
	}
	fmt.Fprintf(&b, "Host: %s\r\n", host)
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	h.Set("Sec-WebSocket-Version", "13")
	h.Set("Sec-WebSocket-Key", key)
	if u.User != nil && h.Get("Authorization") == "" {
		password, _ := u.User.Password()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	_ = h.Write(&b) // a bytes.Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// read is the reading goroutine: it dates everything that comes until the end.
func (p *Peer) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.wire.top.Read(buf)
		at := p.now()
		if n > 0 {
			p.update(func() { p.receive(at, buf[:n]) })
		}
		if err == nil {
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		p.mu.Lock()
		open := p.live.ending == Open
		p.mu.Unlock()
		if open && p.wire.top != net.Conn(tap{p.wire}) { // TLS ended above a TCP that goes on
			if errors.Is(err, io.EOF) {
				p.observeCloseNotify(at)
			} else {
				p.update(func() {
					p.recording.note(at, Received, EventTLSFailed, fmt.Sprintf("TLS failed: %+q", clip(err.Error(), 200)))
					if !p.live.upgraded && !p.live.triggered {
						// TLS 1.3 asks for a certificate behind the client's handshake.
						if refusal := tlsRefused(err); refusal != nil && p.live.handshakeErr == nil {
							p.live.handshakeErr = p.hinted(refusal)
						}
					}
				})
			}
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{tap{p.wire}}) // not by TCPConn.WriteTo, past the tap
		}
		p.wire.watch()
		return
	}
}

// receive takes bytes of the server; p.mu is held.
func (p *Peer) receive(at time.Duration, b []byte) {
	p.readAt = at
	p.live.bytesRead += uint64(len(b))
	s := &p.live
	if s.upgraded {
		p.decoder.feed(b)
		return
	}
	if s.handshakeErr != nil {
		return
	}
	before := len(s.response)
	s.response = append(s.response, b[:min(len(b), maxResponse+4-before)]...)
	head, _, complete := bytes.Cut(s.response, []byte("\r\n\r\n"))
	switch {
	case complete:
		status, names, err := p.opt.checkResponse(s.response, s.key)
		s.answeredBy = names
		if s.status = status; status != 0 {
			p.recording.note(at, Received, EventHandshake, fmt.Sprintf("HTTP %d", status))
		}
		if err != nil {
			s.handshakeErr = p.hinted(err)
			return
		}
		s.upgraded = true
		p.decoder.feed(b[len(head)+4-before:])
	case len(s.response) > maxResponse:
		s.handshakeErr = fmt.Errorf("the handshake response has no end after %d KiB", maxResponse>>10)
	}
}

// retryAfter reads the header's seconds, an hour at most; 0: it has none.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}

// checkResponse judges the response as a client must (RFC 6455, 4.1). The status
// is 0 where it is not HTTP. names are its Server and Via headers, as printable ASCII.
func (o *Options) checkResponse(response []byte, key string) (status int, names string, err error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), nil)
	if err != nil {
		reason, _, _ := strings.Cut(strings.ToValidUTF8(clip(err.Error(), 120), ""), ` "`) // what it quotes
		return 0, "", fmt.Errorf("the handshake response is not HTTP: %+q (%s)", clip(string(response), 60),
			strings.TrimSuffix(reason, ":"))
	}
	defer resp.Body.Close()
	status = resp.StatusCode
	h := resp.Header
	for _, header := range []string{"Server", "Via"} {
		if value := strings.Join(h[header], ", "); value != "" {
			value = strings.Trim(strconv.QuoteToASCII(clip(value, 100)), `"`)
			names = strings.TrimPrefix(names+"; "+header+": "+value, "; ")
		}
	}
	switch {
	case key == "":
		err = errors.New("the server sent a response before it had a request")
	case status != http.StatusSwitchingProtocols:
		err = &StatusError{status, secret.Mask(o.URL.RequestURI()), retryAfter(h)}
	case resp.ProtoMajor != 1 || resp.ProtoMinor < 1:
		err = fmt.Errorf("the 101 response is %s, not HTTP/1.1 (RFC 6455, 4.2.2)", resp.Proto)
	default:
		err = cmp.Or(
			checkSingle(h, "Upgrade", func(v string) bool { return strings.EqualFold(v, "websocket") }, "websocket", "4.1"),
			checkConnection(h),
			checkSingle(h, "Sec-WebSocket-Accept", func(v string) bool { return v == accept(key) }, "that of the key", "4.1 and 11.3.3"),
			o.checkNegotiated(h))
	}
	return status, names, err
}

// accept is the Sec-WebSocket-Accept of a key.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checkSingle tells what is wrong with a header that must be there once, with a right
// value; nil: nothing.
func checkSingle(h http.Header, name string, right func(value string) bool, want, clause string) error {
	switch values := h.Values(name); {
	case len(values) > 1:
		return fmt.Errorf("the 101 response has %d %s headers, %s, instead of one (RFC 6455, %s)", len(values), name,
			quoted(values), clause)
	case len(values) == 0 || !right(values[0]):
		return fmt.Errorf("the 101 response's %s header is %s, not %s (RFC 6455, %s)", name, quoted(values), want, clause)
	}
	return nil
}

// checkConnection tells what is wrong where "Upgrade" is not among the tokens of the
// Connection header.
func checkConnection(h http.Header) error {
	if slices.ContainsFunc(tokens(h["Connection"]), func(token string) bool { return strings.EqualFold(token, "upgrade") }) {
		return nil
	}
	return fmt.Errorf("the 101 response's Connection header is %s, not Upgrade (RFC 6455, 4.1)", quoted(h["Connection"]))
}

// checkNegotiated tells what is wrong where the server chose an extension, of which
// none is offered, or a subprotocol that was not.
func (o *Options) checkNegotiated(h http.Header) error {
	const extensions, protocol = "Sec-Websocket-Extensions", "Sec-Websocket-Protocol"
	if chosen := tokens(h[extensions]); len(chosen) > 0 {
		return fmt.Errorf("the 101 response has the extension %s, which was not asked for (RFC 6455, 4.1)", quoted(h[extensions]))
	}
	offered, chosen := tokens(o.Header[protocol]), tokens(h[protocol])
	switch {
	case len(chosen) > 1 || len(h[protocol]) > 1:
		const may = "where it may choose one (RFC 6455, 4.2.2 and 11.3.4)"
		return fmt.Errorf("the 101 response has several subprotocols, %s, %s", quoted(h[protocol]), may)
	case len(chosen) == 1 && !slices.Contains(offered, chosen[0]):
		return fmt.Errorf("the 101 response has the subprotocol %s, which was not asked for (RFC 6455, 4.1)", quoted(chosen))
	}
	return nil
}

// tokens are the elements of a header that is a list, in one line or several
// (RFC 9110, 5.6.1).
func tokens(values []string) (out []string) {
	for _, element := range strings.Split(strings.Join(values, ","), ",") {
		if element = strings.TrimSpace(element); element != "" {
			out = append(out, element)
		}
	}
	return out
}

func quoted(values []string) string { return fmt.Sprintf("%+q", clip(strings.Join(values, ", "), 60)) }
