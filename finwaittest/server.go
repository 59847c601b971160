package finwaittest

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// Server is the server under test, and how it is judged. Exactly one of URL, Handler,
// Exec and Start says where it is; with Exec, URL may be given too. All else is optional.
// The fields that have a flag of finwait run mean what that flag does (docs/cli.md).
type Server struct {
	// URL is that of a server that runs, ws:// or wss://. With Exec it is a template:
	// {port} stands for the port of the server that is started.
	URL string

	// Handler is served on a loopback port while the test runs.
	Handler http.Handler

	// Exec is a shell command that starts the server; {port} stands for a free port,
	// which the server also has in $PORT. It is ready when a WebSocket handshake
	// succeeds. Each scenario that stops the server or disturbs others starts one of
	// its own.
	Exec string

	// Start serves at the TCP address until ctx is done, and returns when the server
	// has shut down. Each server is a process of its own, as with Exec: the test binary
	// is started again, with its TestMain, and runs the test that calls [Run] up to
	// there. StopSignal ends ctx; Start may as well handle the signal itself. The
	// process exits with status 1 where Start returns an error other than
	// [http.ErrServerClosed], and else with 0.
	Start func(ctx context.Context, address string) error

	Path   string      // of the URL, where that is not given; default "/"
	Header http.Header // of the handshake requests
	TLS    *tls.Config // for wss://; nil: the system's roots are trusted

	// These do for a server in this process what the control contract does by messages
	// (docs/contract.md), so that the server need not speak that; for URL and Handler
	// only. token is the parameter finwait in the query of the connection's handshake
	// request, of letters and digits; where the application does not know it yet, the
	// error is [ErrNoConnection]. The functions are called from several goroutines at
	// the same time, and may block as the library's call does: nobody waits for them
	// longer than for what they are to bring about. What a nil function would do, the
	// server is asked for by message, or it is skipped. So it is where the error is
	// [errors.ErrUnsupported]; any other error fails the scenario as not carried out,
	// and so is not for what the peer did, or for a code that the library refuses.
	Close     func(token string, code int, reason string) error // the library's normal close call; code 0: without a code
	Terminate func(token string) error                          // its hard kill
	KickAll   func(code int) error                              // its normal close call on every open connection; code 0: without a code
	Events    func(token string) []Event                        // what the application was told of this connection's end so far

	CloseExec string // a shell command instead of Close, see --close-exec
	KickExec  string // a shell command instead of KickAll, see --kick-exec

	StopSignal   os.Signal     // asks a server of Exec or Start to stop; default SIGTERM
	StopExec     string        // a shell command that stops it instead; with URL, something else starts it again
	ReadyTimeout time.Duration // how long a server may take to start; default 30 s

	CloseTimeout  time.Duration // declared limit for letting go once a close began; default 10 s, judged with +20 % and 1 s
	Response      time.Duration // limit for what needs no waiting; default 1 s, judged with +20 %
	StopTimeout   time.Duration // declared limit for the exit of a server that was asked to stop; default 10 s, judged as CloseTimeout is
	Patience      time.Duration // how long to look, from the trigger; default 35 s, or more where the limits need it
	PingInterval  time.Duration // declared keepalive interval; 0: none is declared
	ShutdownCodes []int         // close codes that a stopping server may send, besides 1001
	Orphans       bool          // look on until the kernel freed the socket
	Strict        bool          // a breached SHOULD fails

	// Rules gives rules, by their ids, the weight fail, warn or off: {"R36": "off"}.
	Rules map[string]string

	// What the library declares to report instead of 1005 and 1006 in its close event.
	EventNoCode, EventLostCode Convention
	EventKillUntold            bool // the application gets no close event for its own hard kill

	Only, Skip []string // ids of scenarios, families, or patterns such as "linger/*"
	AtOnce     int      // how many plays of scenarios are under way at the same time; 0: all
	Repeat     int      // how often each scenario is played, the worst result counts; 0: once
	Crowd      int      // how many peers a server is stopped with; 0: 50

	// Config is a file of settings, of which close-timeout, response, stop-timeout,
	// patience, ping-interval, strict, rules and known-failures are read; what stands
	// here goes before them. Default: finwait.yaml in the package's directory, where
	// there is one.
	Config string
}

// ErrNoConnection is the error of [Server.Close] and [Server.Terminate] where the
// application knows no connection with the token. The peer has the 101 response before
// the application has the connection, so they are called again, at growing intervals of
// 1 to 10 ms, for as long as [Server.Response].
var ErrNoConnection = servers.ErrNoConnection

// Event is a close event, as the server's application got it: what the library does
// not tell is nil.
type Event = evidence.AppEvent

// Convention is what a library declares to report where RFC 6455 has a code for it: a
// code, or nil where it has none then.
type Convention = rules.Convention
