// Package secret hides what looks like a credential in text that is shown.
package secret

import (
	"net/url"
	"regexp"
	"strings"
)

// hidden stands for a secret, as net/url's Redacted has it.
const hidden = "xxxxx"

var (
	// user:password@ behind a scheme. A password has no slash, which url.Parse takes
	// for the beginning of the path.
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#"':@]*:)[^\s/"']*@`)
	// name=value in a query, as an option or as an assignment of a shell.
	pair = regexp.MustCompile(`(^|[?&#;\s"'])([^\s?&;="'#]+)=("[^"]*"|'[^']*'|[^\s&;"'#]+)`)
	// A JSON Web Token (RFC 7519) begins with the base64 of {".
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]*)*`)
	bearer = regexp.MustCompile(`(?i)\b(bearer(?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{6,}`)
	header = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]*(?:token|key|secret|auth|session)[a-z-]*)(:\s*)[^"'\n]+`)
	// telling are parts of a name that says that its value is a secret; code is the
	// one of OAuth 2.0 (RFC 6749, 4.1.2), and only in a query: a log has others.
	telling = regexp.MustCompile(`(?i)token|key|secret|passw|pwd|auth|signature|sig|session|jwt|credential|ticket`)
	code    = regexp.MustCompile(`(?i)(^|[_.-])(code|sid|pass)$`)
)

// Mask hides the passwords of URLs, the values of queries, options and assignments
// whose names say that they are secret, the headers that hold credentials, and what
// looks like a JSON Web Token or a bearer token. The text may hold anything else.
func Mask(text string) string {
	text = userinfo.ReplaceAllString(text, "${1}"+hidden+"@")
	text = header.ReplaceAllString(text, "${1}${2}"+hidden)
	text = maskPairs(text)
	text = bearer.ReplaceAllString(text, "${1}"+hidden)
	return jwt.ReplaceAllString(text, hidden)
}

// maskPairs hides the values of queries, options and assignments, also of those that
// stand in quotes as the value of another.
func maskPairs(text string) string {
	return pair.ReplaceAllStringFunc(text, func(found string) string {
		parts := pair.FindStringSubmatch(found)
		name := parts[2]
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		query := strings.ContainsAny(parts[1], "?&#")
		if strings.HasPrefix(parts[3], hidden) { // it was masked before, and what follows is no secret
			return found
		}
		if telling.MatchString(name) || query && code.MatchString(name) {
			return parts[1] + parts[2] + "=" + hidden
		}
		value := parts[3]
		if quote := value[:1]; len(value) > 1 && strings.Contains(`"'`, quote) {
			value = quote + maskPairs(value[1:len(value)-1]) + quote
		}
		return parts[1] + parts[2] + "=" + value
	})
}
