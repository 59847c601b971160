package servers

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/internal/process"
)

func TestFailureLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                    "",
		"starting\nthe end\n": `: it wrote "the end"`,
		"node:net:1\nError: listen EADDRINUSE: address already in use\n    at Server.listen\n\n" +
			"Node.js v20.20.2\n": `: it wrote "Error: listen EADDRINUSE: address already in use"`,
		"panic: listen tcp :8080: bind: permission denied\n\n" +
			"goroutine 1 [running]:\nmain.failed(...)\n\t/src/main.go:2 +0x25\nexit status 2\n": "" +
			`: it wrote "panic: listen tcp :8080: bind: permission denied"`,
		"fatal error: all goroutines are asleep - deadlock!\n\n" +
			"goroutine 1 [chan receive]:\nmain.errors()\n\t/src/main.go:2 +0x25\n": "" +
			`: it wrote "fatal error: all goroutines are asleep - deadlock!"`,
		"bind(): Permission denied\nbye\n":  `: it wrote "bind(): Permission denied"`,
		"Failed to listen\nbye\n":           `: it wrote "Failed to listen"`,
		"redis: service unavailable\nbye\n": `: it wrote "redis: service unavailable"`,
	} {
		s := &Server{Server: &process.Server{Output: &process.Tail{}}}
		_, _ = s.Output.Write([]byte(output))
		if got := s.FailureLine(); got != want {
			t.Errorf("of %q: %q", output, got)
		}
	}
}

// TestReady: what a server answers again once it has started is final and ends the
// wait; what may change while it starts does not.
func TestReady(t *testing.T) {
	const final, later = "runs, but takes no WebSocket: await upgrade: ", "was not ready in time: await upgrade: "
	for name, c := range map[string]struct {
		status           int
		accept, protocol string // right: the one of the key
		want             string // the beginning of the error
	}{
		"success":               {200, "", "", final + "the server answered HTTP 200"},
		"redirection":           {302, "", "", final + "the server answered HTTP 302"},
		"forbidden":             {403, "", "", final + "the server answered HTTP 403"},
		"request timeout":       {408, "", "", later + "the server answered HTTP 408"},
		"too early":             {425, "", "", later + "the server answered HTTP 425"},
		"too many requests":     {429, "", "", later + "the server answered HTTP 429"},
		"internal error":        {500, "", "", later + "the server answered HTTP 500"},
		"not implemented":       {501, "", "", final + "the server answered HTTP 501"},
		"unavailable":           {503, "", "", later + "the server answered HTTP 503"},
		"version not supported": {505, "", "", final + "the server answered HTTP 505"},
		"wrong accept": {101, "wrong", "",
			final + `the 101 response's Sec-WebSocket-Accept header is "wrong"`},
		"subprotocol not offered": {101, "right", "mqtt",
			final + `the 101 response has the subprotocol "mqtt"`},
		"right, with what it may choose": {101, "right", "chat", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				accept := c.accept
				if accept == "right" {
					sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
					accept = base64.StdEncoding.EncodeToString(sum[:])
				}
				for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade",
					"Sec-WebSocket-Accept": accept, "Sec-WebSocket-Protocol": c.protocol} {
					if c.status == http.StatusSwitchingProtocols && value != "" {
						w.Header().Set(name, value)
					}
				}
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			limit := 5 * time.Second // nothing that is final comes near it
			if strings.HasPrefix(c.want, later) {
				limit = 100 * time.Millisecond
			}
			checkReady(t, strings.Replace(server.URL, "http", "ws", 1), limit, c.want)
		})
	}
	t.Run("network unreachable", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("only Linux refuses TCP to a broadcast address so")
		}
		checkReady(t, "ws://127.255.255.255:1/", 5*time.Second, "cannot be reached: connect: ")
	})
}

// checkReady checks how the wait for a server at that URL ends, whose process runs.
func checkReady(t *testing.T, address string, limit time.Duration, want string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, start := &Server{Server: &process.Server{}, URL: u}, time.Now()
	err = s.awaitReady(t.Context(), &Target{Header: http.Header{"Sec-Websocket-Protocol": {"chat"}}}, start.Add(limit))
	switch {
	case want == "" && err != nil, want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
		t.Errorf("error %v, want %q", err, want)
	case limit == 5*time.Second && time.Since(start) > limit/2:
		t.Errorf("it took %s", time.Since(start))
	}
}
