package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// capture is a running tcpdump.
type capture struct {
	file string
	port int
	cmd  *exec.Cmd
	log  *bufio.Reader
}

// startCapture starts tcpdump on the loopback interface, and returns when the capture
// has begun.
func startCapture(file string, port int) (*capture, error) {
	cmd := exec.Command("tcpdump", "-i", "lo", "-B", "65536", "-U", "-w", file, "tcp", "port", fmt.Sprint(port))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start tcpdump: %w: install it", err)
	}
	c := &capture{file: file, port: port, cmd: cmd, log: bufio.NewReader(stderr)}
	var output strings.Builder
	for {
		line, err := c.log.ReadString('\n')
		output.WriteString(line)
		if strings.Contains(line, "listening on") {
			return c, nil
		}
		if err != nil {
			_ = cmd.Wait()
			return nil, fmt.Errorf("tcpdump does not capture: %s", strings.TrimSpace(output.String()))
		}
	}
}

func (c *capture) stop() (string, error) {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return "", err
	}
	output, err := io.ReadAll(c.log)
	return string(output), errors.Join(err, c.cmd.Wait())
}

func (c *capture) discard() error {
	_, err := c.stop()
	return err
}

// connection is what the capture shows of one connection.
type connection struct {
	opened                            time.Time // the peer's SYN
	serverClose, serverFIN, serverRST time.Time
	peerFIN, peerRST                  time.Time
	stream                            stream
}

// connections has the connections of each peer's address, in order. A port may be used
// again.
type connections map[netip.AddrPort][]*connection

// openAt returns the connection that the peer had at the time t, or nil.
func (c connections) openAt(peer netip.AddrPort, t time.Time) *connection {
	for _, one := range slices.Backward(c[peer]) {
		if one.opened.Before(t) {
			return one
		}
	}
	return nil
}

// read ends the capture and sorts its packets by connection.
func (c *capture) read() (connections, error) {
	output, err := c.stop()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(output, "\n0 packets dropped by kernel") {
		return nil, fmt.Errorf("the capture is not complete: %s", strings.TrimSpace(output))
	}
	f, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := pcapgo.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, err
	}
	out := connections{}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		packet := gopacket.NewPacket(data, r.LinkType(), gopacket.DecodeOptions{Lazy: true, NoCopy: true})
		ip, ok := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		tcp, isTCP := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if ok && isTCP {
			c.packet(out, ip, tcp, info.Timestamp)
		}
	}
}

func (c *capture) packet(out connections, ip *layers.IPv4, tcp *layers.TCP, at time.Time) {
	fromServer := int(tcp.SrcPort) == c.port
	address, port := ip.SrcIP, tcp.SrcPort
	if fromServer {
		address, port = ip.DstIP, tcp.DstPort
	}
	host, _ := netip.AddrFromSlice(address)
	peer := netip.AddrPortFrom(host.Unmap(), uint16(port))
	if tcp.SYN && !fromServer {
		out[peer] = append(out[peer], &connection{opened: at})
	}
	if len(out[peer]) == 0 { // the connection began before the capture
		return
	}
	conn := out[peer][len(out[peer])-1]
	first := func(t *time.Time, happened bool) {
		if happened && t.IsZero() {
			*t = at
		}
	}
	if !fromServer {
		first(&conn.peerFIN, tcp.FIN)
		first(&conn.peerRST, tcp.RST)
		return
	}
	first(&conn.serverFIN, tcp.FIN)
	first(&conn.serverRST, tcp.RST)
	length := int(ip.Length) - int(ip.IHL)*4 - int(tcp.DataOffset)*4
	first(&conn.serverClose, conn.stream.add(tcp.Seq, tcp.SYN, tcp.Payload, length))
}

// stream follows the server's bytes: the handshake response, then frames.
type stream struct {
	nextSeq     uint32 // the next expected sequence number
	head        []byte // the incomplete head of the response or of a frame
	opened      bool   // the response is complete
	payloadLeft int    // payload bytes of the current frame that are still to come
	isClose     bool   // the current frame is a Close frame
	done        bool   // the first Close frame is complete
}

// add processes a segment, and reports whether it completes the first Close frame. The
// capture may have cut the payload; length is the length on the wire.
func (s *stream) add(seq uint32, syn bool, payload []byte, length int) bool {
	if syn {
		s.nextSeq = seq + 1
		return false
	}
	if s.done || length == 0 || seq != s.nextSeq { // a retransmission
		return false
	}
	s.nextSeq += uint32(length)
	if missing := length - len(payload); missing > 0 {
		payload = append(bytes.Clone(payload), make([]byte, missing)...)
	}
	for len(payload) > 0 && !s.done {
		payload = s.take(payload)
	}
	return s.done
}

// take consumes the next element of the stream and returns the bytes after it.
func (s *stream) take(b []byte) []byte {
	if n := min(s.payloadLeft, len(b)); n > 0 {
		s.payloadLeft -= n
		s.done = s.isClose && s.payloadLeft == 0
		return b[n:]
	}
	before := len(s.head)
	s.head = append(s.head, b...)
	if !s.opened {
		end := bytes.Index(s.head, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		s.opened, s.head = true, nil
		return b[end+4-before:]
	}
	size, length, ok := frameHead(s.head)
	if !ok {
		return nil
	}
	s.isClose = s.head[0]&0xf == 8
	s.head, s.payloadLeft = nil, length
	s.done = s.isClose && length == 0
	return b[size-before:]
}

// frameHead reads a frame header of the reference server, which masks nothing. It
// returns the size of the header and the length of the payload.
func frameHead(b []byte) (size, length int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	size = 2
	switch b[1] & 0x7f {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if len(b) < size {
		return 0, 0, false
	}
	if size == 2 {
		return size, int(b[1] & 0x7f), true
	}
	for _, c := range b[2:size] {
		length = length<<8 | int(c)
	}
	return size, length, true
}
