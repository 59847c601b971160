package servers

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"

	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/rules"
)

// Target is the server under test.
type Target struct {
	Name    string   // in reports; empty: the URL, or what starts the server
	URL     *url.URL // ws or wss
	Header  http.Header
	TLS     *tls.Config // nil: the system's roots
	Profile rules.Profile

	// Commands for sh -c that make the server's application close the connection
	// that was opened with ?finwait=TOKEN, and all connections. {token}, {code}
	// and {reason} stand for single words, quoted, empty where there is none. Exit
	// status 127: not supported. Empty: the peer asks by the control contract.
	CloseExec, KickExec string

	// Process starts the server; URL then is a template with {port}. Nil: it runs
	// already, and StopExec, if any, is a command for sh -c that makes it stop;
	// something else starts it again.
	Process  *Process
	StopExec string
}

// String is the target's name for a reader, without what looks like a secret: the one
// that it was given, its URL, or what starts the server.
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
