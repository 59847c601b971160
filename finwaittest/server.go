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

// Server describes the server under test, and how it is judged. Exactly one of URL, Handler,
// Exec and Start says where the server is; with Exec, URL may be given too. All other fields
// are optional. A field with the name of a flag of finwait run means the same (docs/cli.md).
type Server struct {
	// URL is the address of a server that is running, ws:// or wss://. With Exec it is a
	// template, in which {port} stands for the port of the server that finwait starts.
	URL string

	// Handler is served on a loopback port while the test runs.
	Handler http.Handler

	// Exec is a shell command that starts the server; {port} stands for a free port,
	// which the server also has in $PORT. It is ready when a WebSocket handshake
	// succeeds. Each scenario that stops the server or disturbs others starts another
	// server.
	Exec string

	// Start serves at the TCP address until ctx is done, and returns when the server
	// has shut down. As with Exec, each server is another process: finwait starts the test
	// binary again, which runs TestMain and then the test up to its call of [Run].
	// StopSignal ends ctx; Start may also handle the signal itself. The process exits
	// with status 1 if Start returns an error other than [http.ErrServerClosed], and
	// otherwise with 0.
	Start func(ctx context.Context, address string) error

	Path   string      // path of the URL with Handler, Start or Exec, if URL is empty; default "/"
	Header http.Header // of the handshake requests
	TLS    *tls.Config // for wss://; nil: the system's roots are trusted

	// The next four functions act on a server in this process, so that it need not speak
	// the control contract (docs/contract.md). They are for URL and Handler only.
	//
	// token is the parameter finwait in the query of the connection's handshake request. It
	// consists of letters and digits. If the application does not know the token yet, the
	// error is [ErrNoConnection]. The functions are called from several goroutines at the
	// same time. They may block as the library's call does: finwait waits for their effect,
	// and not for their return. If a function is nil, finwait sends the server the message
	// of the contract; if the server does not obey messages either, the scenarios that need
	// it are skipped. With [errors.ErrUnsupported] they are skipped, too. Any other error
	// means that the scenario was not carried out: do not return it for what the peer did,
	// nor for a code that the library refuses.
	Close     func(token string, code int, reason string) error // makes the library's close call; code 0: none
	Terminate func(token string) error                          // kills the connection without a closing handshake
	KickAll   func(code int) error                              // makes the close call on every open connection; code 0: none
	Events    func(token string) []Event                        // returns the close events of this connection so far

	CloseExec string // a shell command instead of Close, see --close-exec
	KickExec  string // a shell command instead of KickAll, see --kick-exec

	StopSignal   os.Signal     // asks a server of Exec or Start to stop; default SIGTERM
	StopExec     string        // a shell command that stops the server; with URL, something else must start it again
	ReadyTimeout time.Duration // how long a server may take to start; default 30 s

	CloseTimeout  time.Duration // declared limit for closing TCP and the socket; default 10 s, judged with +20 % and 1 s
	Response      time.Duration // limit for what needs no waiting; default 1 s, judged with +20 %
	StopTimeout   time.Duration // declared limit for the exit after a stop signal; default 10 s, judged with +20 % and 1 s
	Patience      time.Duration // how long a scenario is observed, from the trigger; default 35 s, or more if limits need it
	PingInterval  time.Duration // declared keepalive interval; 0: none is declared
	ShutdownCodes []int         // close codes that a stopping server may send, besides 1001
	Orphans       bool          // observe the socket until the kernel has freed it
	Strict        bool          // a breached SHOULD fails

	// Rules gives rules, by their ids, the weight fail, warn or off: {"R36": "off"}.
	Rules map[string]string

	// What the library declares to report instead of 1005 and 1006 in its close event.
	EventNoCode, EventLostCode Convention
	EventKillUntold            bool // the application gets no close event for its own hard kill

	Only, Skip []string // ids of scenarios, families, or patterns such as "linger/*"
	AtOnce     int      // how many plays of scenarios run at the same time; 0: no limit
	Repeat     int      // how often each scenario is played; the worst result counts; 0: once
	Crowd      int      // how many peers are connected when a server is stopped; 0: 50

	// Config is a file of settings. Its keys close-timeout, response, stop-timeout,
	// patience, ping-interval, strict, rules and known-failures are used; a field of
	// Server takes precedence over its key. Default: finwait.yaml in the package's
	// directory, if that file exists.
	Config string
}

// ErrNoConnection is the error of [Server.Close] and [Server.Terminate] if the application
// knows no connection with the token. The peer may have the 101 response before the
// application has the connection, so finwait calls the function again, at growing intervals
// of 1 to 10 ms, for as long as [Server.Response].
var ErrNoConnection = servers.ErrNoConnection

// Event is a close event, as the server's application got it. A field is nil if the library
// does not report it.
type Event = evidence.AppEvent

// Convention is what a library declares to report in place of a code of RFC 6455: another
// code, or nil if it reports no code.
type Convention = rules.Convention
