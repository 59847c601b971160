package servers

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/finwait/finwait/internal/secret"
)

// ParseURL reads the URL of a WebSocket server. Its error is one line, shows no
// password, and says what to give instead.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		shown := secret.Mask(raw[strings.LastIndex(raw, "@")+1:]) // no password
		return nil, fmt.Errorf("the URL %q cannot be read: give one such as ws://127.0.0.1:8080/", shown)
	}
	switch shown := secret.Mask(u.Redacted()); {
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("the URL %q has no ws:// or wss:// in front: give one such as ws://127.0.0.1:8080/", shown)
	case u.Hostname() == "":
		return nil, fmt.Errorf("the URL %q names no host: give one such as ws://127.0.0.1:8080/", shown)
	case u.Fragment != "":
		return nil, fmt.Errorf("the URL %q has a fragment, which a WebSocket URL may not have (RFC 6455, 3): leave out "+
			"#%s", shown, secret.Mask(u.Fragment))
	}
	return u, nil
}

// HasPort tells whether the URL is a template with {port}, of a server that is started.
func HasPort(raw string) bool { return strings.Contains(raw, "{port}") }

// ParseTemplate reads the URL of a WebSocket server that is started, in which {port}
// stands for its port; the host and the path of the result have it too.
func ParseTemplate(raw string) (*url.URL, error) {
	const standIn = "65535" // so that the rest of the URL is checked
	u, err := ParseURL(strings.ReplaceAll(raw, "{port}", standIn))
	if err != nil || !HasPort(raw) {
		return u, err
	}
	u.Host = strings.ReplaceAll(u.Host, standIn, "{port}")
	u.Path = strings.ReplaceAll(u.Path, standIn, "{port}")
	return u, nil
}
