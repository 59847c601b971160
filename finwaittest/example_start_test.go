package finwaittest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/finwait/finwait/finwaittest"
)

// closeTimeout is how long the server waits for a peer after a close began.
const closeTimeout = time.Second

// hub knows the open connections, because Shutdown of net/http neither closes nor awaits
// the connections that a handler has taken over.
type hub struct {
	mu      sync.Mutex
	conns   map[*conn]bool
	serving sync.WaitGroup
}

// conn sends one frame at a time, and no frame after its own Close frame.
type conn struct {
	net.Conn
	mu      sync.Mutex
	closing bool
}

func (c *conn) send(f ws.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	c.closing = f.Header.OpCode == ws.OpClose
	_, err := c.Write(ws.MustCompileFrame(f))
	return err
}

// ServeHTTP echoes messages.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accepted, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	c := &conn{Conn: accepted}
	h.mu.Lock()
	h.conns[c] = true
	h.serving.Add(1)
	h.mu.Unlock()
	defer func() {
		c.Close()
		h.mu.Lock()
		delete(h.conns, c)
		h.serving.Done()
		h.mu.Unlock()
	}()
	for {
		message, kind, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		if err := c.send(ws.NewFrame(kind, true, message)); err != nil {
			return
		}
	}
}

// goingAway closes every connection with 1001.
func (h *hub) goingAway() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		// It limits the wait for the peer's Close frame, and a write to a peer that reads nothing.
		_ = c.SetDeadline(time.Now().Add(closeTimeout))
		go func() { _ = c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, ""))) }()
	}
}

// serve serves at the address until ctx is done, and returns when every connection has
// ended.
func serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	h := &hub{conns: map[*conn]bool{}}
	server := &http.Server{Handler: h, ReadHeaderTimeout: closeTimeout}
	server.RegisterOnShutdown(h.goingAway)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := server.Shutdown(limit); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	_ = server.Close() // ends the requests that are not complete
	h.serving.Wait()
	return nil
}

// For each scenario that stops the server, finwait starts the test binary again as a server
// process. There serve gets a context that SIGTERM ends. Shutdown calls the function that
// RegisterOnShutdown was given, which closes the WebSocket connections.
func ExampleRun_start() {
	var t *testing.T // of func TestShutdown(t *testing.T)

	finwaittest.Run(t, finwaittest.Server{
		Start:        serve,
		Only:         []string{"shutdown", "sanity"},
		CloseTimeout: 2 * time.Second,
		StopTimeout:  5 * time.Second,
	})
}
