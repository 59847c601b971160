package sockets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
)

const (
	firstSyncs   = 8               // exchanges with which the clock's offset is measured at the beginning
	syncPause    = time.Second     // pause between two exchanges after that
	answerLimit  = 5 * time.Second // an exchange that takes longer fails
	lookLimit    = time.Second     // how long RemoteWatch.Look waits
	endLimit     = time.Second     // how long the command has to end when its input has ended
	preambleMost = 64 << 10        // bytes of a greeting before the first line, as a login shell may print
	mostPerSync  = 50_000          // lines between two exchanges
	mostKnown    = 2 * mostFollowed
)

// Remote is the reading end of an observer that runs elsewhere, beside the server: see
// [Observer.Stream]. Its methods are safe for concurrent use. What it reads is not trusted: when
// the stream ends, stops, floods or contradicts itself, [Remote.Failed] says so, and no watch
// learns anything more.
type Remote struct {
	server  *process.Server
	in, out *os.File // the command's standard input and output
	orders  chan order
	loops   sync.WaitGroup
	done    chan struct{} // closed by Close
	failed  chan struct{} // closed when err is set
	closing sync.Once

	mu      sync.Mutex // guards the fields below
	err     error      // why nothing more is seen
	clock   clock
	syncs   map[int64]chan answered // for each open exchange: where its answer goes
	lastNo  int64
	lines   int // since the last exchange
	sockets map[uint64]*remoteSocket
	watches map[*RemoteWatch]bool // those that are not stopped
	lost    string                // why ends of sockets may be missing
}

// OpenRemote starts a command, which [process.Shell] made and which runs finwait observe beside
// the server, and measures the offset of its clock. It blocks until then, for 45 s at most. The
// error is one line. The command ends with ctx, when Close is called, and when this process is
// killed.
func OpenRemote(ctx context.Context, cmd *exec.Cmd) (*Remote, error) {
	r := &Remote{
		orders: make(chan order, 1024), done: make(chan struct{}), failed: make(chan struct{}), syncs: map[int64]chan answered{},
		sockets: map[uint64]*remoteSocket{}, watches: map[*RemoteWatch]bool{},
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		_, _ = theirIn.Close(), in.Close()
		return nil, err
	}
	r.in, r.out, cmd.Stdin, cmd.Stdout = in, out, theirIn, theirOut
	r.server, err = process.Start(cmd)
	_, _ = theirIn.Close(), theirOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, err
	}
	hello := make(chan struct{})
	r.loops.Go(func() { r.fail(r.read(hello)) })
	r.loops.Go(r.write)
	if err := r.begin(ctx, hello); err != nil {
		_ = r.Close()
		return nil, err
	}
	r.loops.Go(r.keepClock)
	return r, nil
}

// begin waits for the first line, and measures the offset.
func (r *Remote) begin(ctx context.Context, hello <-chan struct{}) error {
	timer := time.NewTimer(answerLimit)
	defer timer.Stop()
	select {
	case <-hello:
	case <-r.failed:
		return r.Failed()
	case <-timer.C:
		return fmt.Errorf("the observer elsewhere wrote nothing within %s%s", answerLimit, r.wrote())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for range firstSyncs {
		err := r.exchange(ctx, answerLimit, true)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errNoAnswer):
			return errors.New("the observer elsewhere does not hear what it is sent: pass -i to docker exec or kubectl exec")
		case err != nil:
			return err
		}
	}
	return nil
}

// keepClock repeats the exchange until Close, because clocks drift.
func (r *Remote) keepClock() {
	for {
		timer := time.NewTimer(syncPause)
		select {
		case <-timer.C:
		case <-r.failed:
			timer.Stop()
			return
		case <-r.done:
			timer.Stop()
			return
		}
		if err := r.exchange(context.Background(), answerLimit, true); err != nil {
			r.fail(err)
		}
	}
}

// answered is the answer to an exchange: the observer's time, and when it came.
type answered struct {
	at   time.Duration
	came time.Time
}

var (
	errNoAnswer = fmt.Errorf("the observer elsewhere did not answer within %s", answerLimit)
	errClosed   = errors.New("the observer elsewhere was closed")
)

// exchange asks for the observer's time and waits for the answer. All that the observer saw before
// has been taken over then. measured: the clock learns from it.
func (r *Remote) exchange(ctx context.Context, limit time.Duration, measured bool) error {
	answer := make(chan answered, 1)
	r.mu.Lock()
	r.lastNo++
	no := r.lastNo
	r.syncs[no] = answer
	r.lines = 0
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.syncs, no)
		r.mu.Unlock()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	asked := time.Now()
	select {
	case r.orders <- order{Sync: no}:
	case <-timer.C: // the command does not take orders
		return errNoAnswer
	case <-r.done:
		return errClosed
	}
	select {
	case a := <-answer:
		if !measured {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.clock.add(a.at, asked, a.came); err != nil {
			return fmt.Errorf("the observer elsewhere is not believed: %w", err)
		}
		return nil
	case <-r.failed:
		return r.Failed()
	case <-timer.C:
		return errNoAnswer
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.done:
		return errClosed
	}
}

// write writes the orders, until Close or a failure. That the command does not take them shows by
// answers that are missing.
func (r *Remote) write() {
	for {
		select {
		case o := <-r.orders:
			text, _ := json.Marshal(o)
			_, _ = r.in.Write(append(text, '\n'))
		case <-r.failed:
			return
		case <-r.done:
			return
		}
	}
}

// read takes over the stream's lines. It returns why it ended.
func (r *Remote) read(hello chan<- struct{}) error {
	in := bufio.NewReaderSize(r.out, mostLineBytes)
	for skipped, greeted := 0, false; ; {
		text, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return errors.New("the observer elsewhere is not believed: it wrote a line without end")
		case errors.Is(err, io.EOF):
			return r.ended()
		case err != nil:
			return fmt.Errorf("read from the observer elsewhere: %w", err)
		case !greeted && text[0] != '{' && skipped < preambleMost: // a login shell's greeting
			skipped += len(text)
			continue
		}
		l, err := parseLine(text)
		switch {
		case !greeted && l.Format == "", greeted && l.Format != "":
			err = errors.New("its first line, and only that, names the format: does the command run finwait observe?")
		case err == nil && !greeted:
			greeted = true
			close(hello)
			continue
		case err == nil:
			err = r.take(l)
		}
		if err != nil {
			return fmt.Errorf("the observer elsewhere is not believed: it wrote %w", err)
		}
	}
}

// ended says how the command ended.
func (r *Remote) ended() error {
	timer := time.NewTimer(endLimit)
	defer timer.Stop()
	select {
	case <-r.server.Exited():
		r.server.Kill() // returns when what it wrote has been read
		code, words := r.server.Status()
		if code == 0 {
			return errors.New("the observer elsewhere ended (exit status 0): pass -i to docker exec or kubectl exec")
		}
		return fmt.Errorf("the observer elsewhere ended (%s)%s", words, r.wrote())
	case <-timer.C:
		return fmt.Errorf("the observer elsewhere closed its output%s", r.wrote())
	}
}

// wrote returns, for the end of an error, the last line of the command's standard error, without
// what looks like a secret.
func (r *Remote) wrote() string {
	lines := strings.Split(strings.TrimSpace(secret.Mask(r.server.Output.String())), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return fmt.Sprintf(": %+.200q", last)
	}
	return ""
}

// fail notes why nothing more is seen, and ends the command.
func (r *Remote) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done: // Close has ended it
		return
	default:
	}
	if r.err == nil {
		r.err = err
		close(r.failed)
		r.loops.Go(r.server.Kill)
	}
}

// Failed returns why nothing is seen any more; nil: the observer works, or was closed.
func (r *Remote) Failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close ends the command, and with it every watch, whose Lifetime stays as it is. A command that
// does not end by itself within a second when its input has ended is killed. A second Close does
// nothing.
func (r *Remote) Close() error {
	r.closing.Do(func() {
		r.mu.Lock()
		close(r.done)
		r.mu.Unlock()
		_ = r.in.Close()
		timer := time.NewTimer(endLimit)
		defer timer.Stop()
		select {
		case <-r.server.Exited():
		case <-timer.C:
		}
		r.server.Kill()
		_ = r.out.Close()
		r.loops.Wait()
	})
	return nil
}

// Watch begins to follow the server's end of a connection, which the observer elsewhere finds by
// itself. It does not wait. peer is the address of the peer's end as this host knows it.
func (r *Remote) Watch(peer netip.AddrPort) *RemoteWatch {
	w := &RemoteWatch{
		r: r, peer: withoutZone(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())), began: time.Now(),
		accepted: make(chan struct{}), released: make(chan struct{}), freed: make(chan struct{}),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[w] = true
	w.find()
	return w
}
