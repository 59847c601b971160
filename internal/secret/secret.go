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
	// userinfo matches user:password@ after a scheme, or a user alone, which may be a token. A
	// password has no slash, because url.Parse takes it for the beginning of the path.
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)(?:([^\s/?#"':@]*:)[^\s/"]*|[^\s/?#"':@]+)@`)
	// nameAndSeparator matches the character before a name, the name, and what separates it from
	// its value: = in a query, an option or an assignment, a colon in a header or an object,
	// nothing after an option, whose value follows a space.
	nameAndSeparator = regexp.MustCompile(`(^|[?&#;,{(\[\s"'])([^?&#;,{(\[\s"'=:]+)(=|["']?[ \t]*:[ \t]*|)`)
	// jwt matches a JSON Web Token (RFC 7519), which begins with the base64 of {".
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}(\.[A-Za-z0-9_-]*)*`)
	bearer = regexp.MustCompile(`(?i)\b(bearer(?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{6,}`)
	// credentialHeader matches the name of a header that holds credentials.
	credentialHeader = regexp.MustCompile(`(?i)^((proxy-)?authorization|(set-)?cookie|` +
		`x-[a-z-]*(token|key|secret|auth|session)[a-z-]*)$`)
	// secretName matches a part of a name that says that its value is a secret, after
	// harmlessName has been removed from the name.
	secretName = regexp.MustCompile(`(?i)token|key|secret|passw|passphrase|pwd|auth|signature|session|jwt|credential` +
		`|ticket|(^|[^a-z]|db)(pass|pw|sig)($|[^a-z])|(?-i:[a-z](Pass|Pw|Sig)($|[^a-z]))`)
	harmlessName = regexp.MustCompile(`(?i)tokeni[sz]|monkey|turkey|hotkey|keyboard|keyword|authors?($|[^a-z])`)
	// codeName matches the code of OAuth 2.0 (RFC 6749, 4.1.2) and session ids. It applies to a
	// query only: the text of a log has other codes.
	codeName = regexp.MustCompile(`(?i)(^|[_.-])(code|sid)$`)
	// unmistakableName matches a part of a name that means nothing but a secret.
	unmistakableName = regexp.MustCompile(
		`(?i)passw|passphrase|pwd|secret|credential|api[_-]?key|(access|private)[_-]?key`)
	// tokenLike matches a word that may be a token if it has both a digit and a letter.
	tokenLike = regexp.MustCompile(`^[A-Za-z0-9_+-][A-Za-z0-9_+/=.~-]{7,}$`)
	digit     = regexp.MustCompile(`[0-9]`)
	letter    = regexp.MustCompile(`[A-Za-z]`)
	// curlUser matches the options of curl whose value is user:password.
	curlUser = regexp.MustCompile(`^(-[uU]|--(proxy-)?user)$`)
)

// Mask hides the passwords of URLs, the values of queries, options, assignments and
// objects whose names say that they are secret, the headers that hold credentials, and
// what looks like a JSON Web Token or a bearer token. The text may hold anything else.
func Mask(text string) string {
	for range 4 { // once a secret is hidden, the text around it may look like another one
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
		m := nameAndSeparator.FindStringSubmatchIndex(text)
		if m == nil {
			return out.String() + text
		}
		start, end := 0, 0
		if !strings.HasPrefix(text[m[1]:], hidden) { // else it is hidden already
			start, end = secretSpan(text[m[2]:m[3]], text[m[4]:m[5]], text[m[6]:m[7]], text[m[1]:])
		}
		out.WriteString(text[:m[1]+start])
		text = text[m[1]+start:]
		if end > start && !strings.HasPrefix(text, hidden) {
			out.WriteString(hidden)
			text = text[end-start:]
		}
	}
}

// secretSpan returns where in rest the secret stands; none stands there unless start < end. rest
// is the text after a name and its separator, and before is the character before the name.
func secretSpan(before, name, separator, rest string) (start, end int) {
	name = strings.TrimRight(name, `\`) // the backslash escapes the closing quote: the object stands in a string
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	isSecret := namesSecret(name)
	switch {
	case separator == "":
		// An option --key names a file, as that of finwait does.
		if strings.HasPrefix(name, "-") && strings.TrimLeft(name, "-") != "key" {
			return argumentSpan(name, rest, isSecret)
		}
	case separator != "=":
		return 0, fieldLength(before, name, separator, rest, isSecret)
	case strings.ContainsAny(before, "?&#"):
		if isSecret || codeName.MatchString(name) {
			return 0, len(strings.TrimRight(rest[:lengthUntil(rest, " \t\r\n&#")], `"')`))
		}
	case isSecret:
		return 0, wordLength(rest, before, ";&#")
	}
	return 0, 0
}

// namesSecret tells whether the name says that its value is a secret.
func namesSecret(name string) bool {
	return secretName.MatchString(harmlessName.ReplaceAllString(name, ""))
}

// argumentSpan returns where in rest the secret of an option stands whose value is the next word.
func argumentSpan(name, rest string, isSecret bool) (start, end int) {
	start = len(rest) - len(strings.TrimLeft(rest, " \t"))
	login := curlUser.MatchString(name)
	if start == 0 || !login && !isSecret || strings.HasPrefix(rest[start:], "-") {
		return 0, 0
	}
	end = start + wordLength(rest[start:], "", ";&#")
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

// fieldLength returns the length of the secret at the beginning of the value of a header or of a
// member of an object; 0: there is none.
func fieldLength(before, name, separator, rest string, isSecret bool) int {
	const ends = ",;)}]"
	credential := credentialHeader.MatchString(name)
	quotedName := strings.ContainsAny(separator, `"'`)
	quoted := rest != "" && strings.ContainsAny(rest[:1], `"'`)
	switch {
	case !credential && isSecret && !quotedName && !quoted: // as in YAML, or in a sentence
		if strings.HasSuffix(separator, ":") { // a file and a line
			return 0
		}
		n := wordLength(rest, "", ends)
		value := rest[:n]
		if unmistakableName.MatchString(name) ||
			tokenLike.MatchString(value) && digit.MatchString(value) && letter.MatchString(value) {
			return n
		}
		return 0
	case !credential && !isSecret, quotedName && !quoted && strings.HasPrefix(rest, "{"):
		return 0
	case credential && strings.HasPrefix(rest, "["):
		return lengthUntil(rest, "]\n")
	case quotedName, !credential:
		return wordLength(rest, "", ends)
	case before == `"` || before == "'":
		return lengthUntil(rest, before+"\n")
	case quoted:
		if n := wordLength(rest, "", ends); n == len(rest) || strings.Contains(",)}]\n", rest[n:n+1]) {
			return n
		}
	}
	return lengthUntil(rest, "\n")
}

// wordLength returns the length of the word at the beginning of text, with its quoted parts. The
// word ends at white space, at a byte of ends, and at outer, the quote in which text stands.
func wordLength(text, outer, ends string) int {
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

// lengthUntil returns the length of text before the first byte of ends, or of all of it.
func lengthUntil(text, ends string) int {
	if i := strings.IndexAny(text, ends); i >= 0 {
		return i
	}
	return len(text)
}
