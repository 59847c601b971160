package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// Limits of a crowd.
const (
	crowdLimit  = 20 * time.Millisecond // 99th percentile of the difference to the log
	crowdRate   = 3000                  // connections opened each second, at least
	crowdMemory = 10_000                // bytes of resident memory for each peer, at most
)

// crowd compares each release of n connections with the log of a reference server in a
// process of its own. It does so once for each way in which a crowd can end.
func crowd(n int, w io.Writer) error {
	ok := true
	for _, then := range []crowds.End{crowds.PeersClose, crowds.ServerKicks, crowds.ServerStops} {
		good, err := crowdOf(n, then, w)
		if err != nil {
			return fmt.Errorf("then %s: %w", then, err)
		}
		ok = ok && good
	}
	if !ok {
		return errOverLimit
	}
	return nil
}

var errOverLimit = errors.New("a figure is over its limit")

func crowdOf(n int, then crowds.End, w io.Writer) (bool, error) {
	server, err := startLogged()
	if err != nil {
		return false, err
	}
	defer server.end()
	o := crowds.Options{Then: then, Hold: time.Second}
	for i := range n {
		kinds := []peers.Kind{
			peers.Polite, peers.Polite, peers.Polite, peers.Polite, peers.Polite, peers.Polite,
			peers.Ignores, peers.Ignores, peers.Vanishes, peers.StopsReading,
		}
		o.Peers = append(o.Peers, kinds[i%len(kinds)])
	}
	debug.FreeOSMemory()
	base, held := residentMemory(), 0
	o.Progress = func(opened, failed int) {
		if opened+failed == n {
			held = residentMemory()
		}
	}
	target := &servers.Target{
		URL:      server.url,
		Profile:  rules.Profile{CloseTimeout: 10 * time.Second, Patience: 15 * time.Second},
		StopExec: fmt.Sprintf("kill %d", server.cmd.Process.Pid),
	}
	run, err := crowds.Hold(context.Background(), target, o)
	if err != nil {
		return false, err
	}
	released, err := server.log()
	if err != nil {
		return false, err
	}
	t := &table{}
	for _, m := range run.Members {
		at, logged := released[m.Peer]
		switch {
		case m.Err != "" || m.EndedEarly:
			t.missing("%s %s: %s (lost: %t)", m.Kind, m.Peer, m.Err, m.EndedEarly)
		case m.Released == 0 && logged && at.Before(run.Started.Add(m.StoppedAt-100*time.Millisecond)):
			t.missing("%s %s: the server's log has its release, finwait has not", m.Kind, m.Peer)
		case m.Released != 0 && !logged:
			t.missing("%s %s: finwait has its release, the server's log has not", m.Kind, m.Peer)
		case m.Released != 0:
			off := run.Started.Add(m.Released).Sub(at)
			t.add(crowdFigure+string(m.Kind), string(then), off)
			t.add(crowdAll, string(then), off)
			if off > m.Bound+2*time.Millisecond {
				t.missing("%s %s: %s late, beyond its bound of %s", m.Kind, m.Peer, off, m.Bound)
			}
		}
	}
	rate, memory := float64(n)/run.Opening.Seconds(), (held-base)/n
	fmt.Fprintf(w, "\n%d peers, then %s: opened %.0f a second (at least %d), %d bytes of resident memory for each (at most %d)\n",
		n, then, rate, crowdRate, memory, crowdMemory)
	if len(t.unmatched) > 10 {
		t.unmatched = append(t.unmatched[:10], fmt.Sprintf("and %d more", len(t.unmatched)-10))
	}
	return t.print(w) && rate >= crowdRate && memory <= crowdMemory, nil
}

const crowdFigure, crowdAll = "crowd ", "crowd of all"

// residentMemory is the resident memory of this process in bytes (proc(5)).
func residentMemory() int {
	b, _ := os.ReadFile("/proc/self/statm")
	var size, pages int
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize()
}

// loggedServer is a reference server in a process of its own. It records when it
// released each connection.
type loggedServer struct {
	cmd  *exec.Cmd
	out  *bufio.Reader
	stop io.Closer
	url  *url.URL
}

func startLogged() (*loggedServer, error) {
	s := &loggedServer{cmd: exec.Command(os.Args[0], "-serve")}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.stop, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	address, err := s.out.ReadString('\n')
	if err != nil {
		s.end()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	s.url = &url.URL{Scheme: "ws", Host: strings.TrimSpace(address), Path: "/"}
	return s, nil
}

// log stops the server, and returns when it released each connection.
func (s *loggedServer) log() (map[netip.AddrPort]time.Time, error) {
	if err := s.stop.Close(); err != nil {
		return nil, err
	}
	out := map[netip.AddrPort]time.Time{}
	for {
		var peer string
		var at int64
		if _, err := fmt.Fscanln(s.out, &peer, &at); errors.Is(err, io.EOF) {
			return out, s.cmd.Wait()
		} else if err != nil {
			return nil, err
		}
		address, err := netip.ParseAddrPort(peer)
		if err != nil {
			return nil, err
		}
		out[address] = time.Unix(0, at)
	}
}

func (s *loggedServer) end() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// serveLogged runs as the [loggedServer]. A signal stops the server. When its standard
// input ends, it writes its log and exits.
func serveLogged() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	released := &releaseLog{at: map[netip.AddrPort][]time.Time{}}
	if err := reference.Serve(ctx, l, reference.Options{PingInterval: time.Second, Log: released.event}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	w := bufio.NewWriter(os.Stdout)
	for _, peer := range slices.SortedFunc(maps.Keys(released.at), netip.AddrPort.Compare) {
		for _, at := range released.at[peer] {
			fmt.Fprintln(w, peer, at.UnixNano())
		}
	}
	return w.Flush()
}
