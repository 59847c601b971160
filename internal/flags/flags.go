// Package flags parses the values of flags that finwait and its Ginkgo suite share.
// Errors are one line, and say what to give instead.
package flags

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Header parses 'Name: value'. The error does not show the text, which may contain a
// secret.
func Header(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", errors.New("give it as 'Name: value'")
	}
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "Upgrade", "Connection", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		return "", "", fmt.Errorf("%s is set by finwait itself: leave it out", name)
	}
	return name, value, nil
}
