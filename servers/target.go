package servers

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/rules"
)

// Target is the server under test.
type Target struct {
	Name    string        // the name in reports; empty: the URL, or what starts the server
	URL     *url.URL      // its scheme is ws or wss
	Header  http.Header   // sent with every handshake
	TLS     *tls.Config   // nil: the system's roots
	Profile rules.Profile // the limits by which the server is judged

	// CloseExec and KickExec are commands for sh -c that make the server's application close
	// the connection that was opened with ?finwait=TOKEN, and all connections. {token}, {code}
	// and {reason} are replaced by one quoted word each, which may be empty. Exit status 127
	// says that the server does not support this. An empty command: the peer asks by the
	// control contract.
	CloseExec, KickExec string

	// Hooks carry out commands of the contract by functions of this process, instead of
	// messages and command lines.
	Hooks Hooks

	// ServerPID is a process of this host in whose network namespace the server's sockets are
	// observed, and ObserveExec is a command for sh -c that runs finwait observe beside the server;
	// at most one is set, and neither with Process. Without either, the sockets of this process's
	// namespace are observed.
	ServerPID   int
	ObserveExec string

	// Process starts the server; URL is then a template with {port}. If Process is nil, the
	// server runs already: StopExec, if any, is a command for sh -c that makes it stop, and
	// something other than finwait starts it again.
	Process  *Process
	StopExec string
}

// Hooks are functions that do for the application of a server in this process what the
// control contract does by messages (docs/contract.md); nil: the peer asks by message,
// or by command. They are called from several goroutines at the same time. A function
// may block as long as the library's call does: finwait waits for it no longer than for
// what it is to bring about. An error that is [errors.ErrUnsupported] says that the
// server cannot do this; one that is [ErrNoConnection], that it does not know the
// connection yet.
type Hooks struct {
	Close     func(token string, code int, reason string) error // code 0: without a code
	Terminate func(token string) error
	KickAll   func(code int) error // code 0: without a code
	Events    func(token string) []evidence.AppEvent
}

// ErrNoConnection is the error of a function of [Hooks] that knows no connection with the
// token. The peer has the 101 response before the application has the connection, so
// the function is called again until it knows it, for as long as the response limit.
var ErrNoConnection = errors.New("the application knows no connection with this token")

// String returns the name that reports show, without what looks like a secret: Name, the URL,
// or the command that starts the server.
func (t *Target) String() string {
	name := t.Name
	switch {
	case name != "":
	case t.Process == nil:
		name = t.URL.Redacted()
	case t.Process.Line != "":
		name = strings.TrimSpace(t.Process.Line)
	default:
		name = strings.Join(t.Process.Args, " ")
	}
	return secret.Mask(name)
}
