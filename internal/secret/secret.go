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
	// user:password@ behind a scheme, or a user alone, which may be a token. A password
	// has no slash, which url.Parse takes for the beginning of the path.
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)(?:([^\s/?#"':@]*:)[^\s/"]*|[^\s/?#"':@]+)@`)
	// A name, what stands before it, and what parts it from its value: = in a query, an
	// option or an assignment, a colon in a header or an object, or a space behind an option.
	named = regexp.MustCompile(`(^|[?&#;,{(\[\s"'])([^?&#;,{(\[\s"'=:]+)(=|["']?[ \t]*:[ \t]*|)`)
	// A JSON Web Token (RFC 7519) begins with the base64 of {".
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]*)*`)
	bearer = regexp.MustCompile(`(?i)\b(bearer(?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{6,}`)
	header = regexp.MustCompile(`(?i)^((proxy-)?authorization|(set-)?cookie|x-[a-z-]*(token|key|secret|auth|session)[a-z-]*)$`)
	// telling are parts of a name that says that its value is a secret, once what is
	// ordinary has been left out.
	telling = regexp.MustCompile(`(?i)token|key|secret|passw|passphrase|pwd|auth|signature|session|jwt|credential|ticket` +
		`|(^|[^a-z]|db)(pass|pw|sig)($|[^a-z])|(?-i:[a-z](Pass|Pw|Sig)($|[^a-z]))`)
	ordinary = regexp.MustCompile(`(?i)tokeni[sz]|monkey|turkey|hotkey|keyboard|keyword|authors?($|[^a-z])`)
	// code is the one of OAuth 2.0 (RFC 6749, 4.1.2), and only in a query: a log has others.
	code = regexp.MustCompile(`(?i)(^|[_.-])(code|sid)$`)
	// strong are parts of a name that mean nothing but a secret; plain is a word that looks like one.
	strong = regexp.MustCompile(`(?i)passw|passphrase|pwd|secret|credential|api[_-]?key|(access|private)[_-]?key`)
	plain  = regexp.MustCompile(`^[A-Za-z0-9_+-][A-Za-z0-9_+/=.~-]{7,}$`)
	digit  = regexp.MustCompile(`[0-9]`)
	letter = regexp.MustCompile(`[A-Za-z]`)
	// login is an option of curl whose value is user:password.
	login = regexp.MustCompile(`^(-[uU]|--(proxy-)?user)$`)
)

// Mask hides the passwords of URLs, the values of queries, options, assignments and
// objects whose names say that they are secret, the headers that hold credentials, and
// what looks like a JSON Web Token or a bearer token. The text may hold anything else.
func Mask(text string) string {
	for range 4 { // where one secret is hidden, what surrounds it may look like another
		before := text
		text = userinfo.ReplaceAllString(text, "${1}${2}"+hidden+"@")
		text = bearer.ReplaceAllString(text, "${1}"+hidden)
		text = maskNamed(text)
		text = jwt.ReplaceAllString(text, hidden)
		if text == before {
			break
		}
	}
	return text
}

// maskNamed hides the values whose names say that they are secret.
func maskNamed(text string) string {
	var out strings.Builder
	for {
		m := named.FindStringSubmatchIndex(text)
		if m == nil {
			return out.String() + text
		}
		start, end := 0, 0
		if !strings.HasPrefix(text[m[1]:], hidden) { // it was masked before, and what follows is no secret
			start, end = value(text[m[2]:m[3]], text[m[4]:m[5]], text[m[6]:m[7]], text[m[1]:])
		}
		out.WriteString(text[:m[1]+start])
		text = text[m[1]+start:]
		if end > start && !strings.HasPrefix(text, hidden) {
			out.WriteString(hidden)
			text = text[end-start:]
		}
	}
}

// value tells where in rest, which follows a name and what parts it from its value, the
// secret stands. There is none where end is not behind start.
func value(before, name, parting, rest string) (start, end int) {
	name = strings.TrimRight(name, `\`) // of an object within a string
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	tells := tells(name)
	switch {
	case parting == "":
		if strings.HasPrefix(name, "-") && strings.TrimLeft(name, "-") != "key" { // which names a file, as finwait's own
			return argument(name, rest, tells)
		}
	case parting != "=":
		return 0, field(before, name, parting, rest, tells)
	case strings.ContainsAny(before, "?&#"):
		if tells || code.MatchString(name) {
			return 0, len(strings.TrimRight(rest[:until(rest, " \t\r\n&#")], `"')`))
		}
	case tells:
		return 0, word(rest, before, ";&#")
	}
	return 0, 0
}

// tells tells whether a name says that its value is a secret.
func tells(name string) bool { return telling.MatchString(ordinary.ReplaceAllString(name, "")) }

// argument tells where the secret of an option stands whose value is a word of its own.
func argument(name, rest string, tells bool) (start, end int) {
	start = len(rest) - len(strings.TrimLeft(rest, " \t"))
	login := login.MatchString(name)
	if start == 0 || !login && !tells || strings.HasPrefix(rest[start:], "-") {
		return 0, 0
	}
	end = start + word(rest[start:], "", ";&#")
	if login {
		user, _, ok := strings.Cut(rest[start:end], ":")
		switch {
		case !ok:
			return 0, 0
		case !strings.ContainsAny(user, `"'`):
			start += len(user) + 1
		}
	}
	return start, end
}

// field is the length of the secret in a header's or an object's value.
func field(before, name, parting, rest string, tells bool) int {
	const ends = ",;)}]"
	credential := header.MatchString(name)
	quotedName := strings.ContainsAny(parting, `"'`)
	quoted := rest != "" && strings.ContainsAny(rest[:1], `"'`)
	switch {
	case !credential && tells && !quotedName && !quoted: // as in YAML, or in a sentence
		if strings.HasSuffix(parting, ":") { // a file and a line
			return 0
		}
		n := word(rest, "", ends)
		if strong.MatchString(name) || plain.MatchString(rest[:n]) && digit.MatchString(rest[:n]) && letter.MatchString(rest[:n]) {
			return n
		}
		return 0
	case !credential && !tells, quotedName && !quoted && strings.HasPrefix(rest, "{"):
		return 0
	case credential && strings.HasPrefix(rest, "["):
		return until(rest, "]\n")
	case quotedName, !credential:
		return word(rest, "", ends)
	case before == `"` || before == "'":
		return until(rest, before+"\n")
	case quoted:
		if n := word(rest, "", ends); n == len(rest) || strings.Contains(",)}]\n", rest[n:n+1]) {
			return n
		}
	}
	return until(rest, "\n")
}

// word is the length of the word that text begins with, with what it holds in quotes. It
// ends at white space, at one of ends, and where the quote closes that it stands in.
func word(text, outer, ends string) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			i++
		case strings.IndexByte(" \t\r\n"+ends, c) >= 0 || outer == string(c):
			return i
		case c == '"' || c == '\'':
			after := text[i+1:]
			if i > 0 && (after == "" || strings.Contains(" \t\r\n,;)}]", after[:1])) {
				return i // it closes one before the word
			}
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\n' {
					return i
				}
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return len(text)
}

// until is the length of text up to one of ends.
func until(text, ends string) int {
	if i := strings.IndexAny(text, ends); i >= 0 {
		return i
	}
	return len(text)
}
