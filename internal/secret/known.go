package secret

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Known are secrets whose text is known, longest first.
type Known []string

// A secret is hidden wherever it stands only if it has so many bytes: a shorter one would also
// be found within other words.
const (
	shortestKnown    = 4
	shortestProtocol = 16 // a subprotocol of this length is a token rather than a name
)

// Sent returns the secrets of a handshake request: the password of the URL, the parameters
// whose names say that they are secret, the headers that hold credentials, and long
// subprotocols, by which browsers send tokens.
func Sent(u *url.URL, h http.Header) (known Known) {
	password, _ := u.User.Password()
	values := []string{password}
	if password != "" { // basic authentication (RFC 7617)
		values = append(values, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	for name, given := range u.Query() {
		if namesSecret(name) || codeName.MatchString(name) {
			values = append(values, given...)
		}
	}
	for name, lines := range h {
		for _, line := range lines {
			switch {
			case name == "Sec-Websocket-Protocol":
				for token := range strings.SplitSeq(line, ",") {
					if token = strings.TrimSpace(token); len(token) >= shortestProtocol {
						values = append(values, token)
					}
				}
			case name == "Cookie":
				values = append(values, line)
				for cookie := range strings.SplitSeq(line, ";") {
					_, value, _ := strings.Cut(cookie, "=")
					values = append(values, value)
				}
			case credentialHeader.MatchString(name) || namesSecret(name):
				_, credential, _ := strings.Cut(line, " ") // the part after the authentication scheme
				values = append(values, line, credential)
			}
		}
	}
	for _, value := range values {
		if value = strings.TrimSpace(value); len(value) >= shortestKnown {
			known = append(known, value)
		}
	}
	slices.SortFunc(known, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // a secret may contain another
	return known
}

// Mask hides the known secrets, also in the forms in which a URL or JSON writes them, and what
// the function [Mask] hides.
func (k Known) Mask(text string) string {
	if len(k) > 0 {
		forms := make([]string, len(k))
		for i, value := range k {
			forms[i] = spellings(value)
		}
		text = regexp.MustCompile(strings.Join(forms, "|")).ReplaceAllLiteralString(text, hidden)
	}
	return Mask(text)
}

// spellings returns a pattern that matches the value even if characters of it are escaped: by
// their bytes in hexadecimal (RFC 3986, 2.1), a space also as +, by a backslash, or by their
// number (RFC 8259, 7).
func spellings(value string) string {
	var out strings.Builder
	for _, r := range value {
		bytes := ""
		for _, b := range []byte(string(r)) {
			bytes += fmt.Sprintf("%%%02x", b)
		}
		fmt.Fprintf(&out, `(?:\\?%s|(?i:%s|\\u%04x)`, regexp.QuoteMeta(string(r)), bytes, r)
		if r == ' ' {
			out.WriteString(`|\+`)
		}
		out.WriteString(")")
	}
	return out.String()
}
