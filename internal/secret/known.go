package secret

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Known are secrets that are known word for word.
type Known []string

// Bounds of what is hidden wherever it stands, bytes: shorter text is also part of other words.
const (
	shortestKnown    = 4
	shortestProtocol = 16 // a subprotocol so long is a token rather than a name
)

// Sent are the secrets of a handshake request: the password of the URL, the headers that
// hold credentials, and long subprotocols, by which browsers send tokens.
func Sent(u *url.URL, h http.Header) (known Known) {
	password, _ := u.User.Password()
	values := []string{password}
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
			case header.MatchString(name) || telling.MatchString(ordinary.ReplaceAllString(name, "")):
				_, credential, _ := strings.Cut(line, " ") // behind the scheme
				values = append(values, line, credential)
			}
		}
	}
	for _, value := range values {
		if value = strings.TrimSpace(value); len(value) >= shortestKnown {
			known = append(known, value)
		}
	}
	slices.SortFunc(known, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be part of another
	return known
}

// Mask hides the known secrets, and what [Mask] hides.
func (k Known) Mask(text string) string {
	var pairs []string
	for _, value := range k {
		pairs = append(pairs, value, hidden)
	}
	return Mask(strings.NewReplacer(pairs...).Replace(text))
}
