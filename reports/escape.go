package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine makes s safe for a terminal and for a log, in one line: what is not
// printable (control and format characters, bidi overrides, invalid UTF-8), and
// what would make a command for a runner of CI of it, is shown as an escape such as
// \x1b or \u202e.
func OneLine(s string) string { return escape(s, unicode.IsPrint) }

// Printable is OneLine for text of several lines.
func Printable(s string) string {
	return escape(s, func(r rune) bool { return unicode.IsPrint(r) || r == '\n' || r == '\t' })
}

// escape shows runes that are not allowed or begin a command, and bytes that are
// not UTF-8, as Go escapes.
func escape(s string, allowed func(rune) bool) string {
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case allowed(r) && !command(s, i):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// command tells whether the byte at i is the one that makes a command for a runner of
// CI: of "##[" (GitHub, Azure), "##vso[" (Azure) or "##teamcity[" anywhere in a line of
// a job's log; of GitHub's "::" where a line begins, as each word may where text is
// wrapped.
func command(s string, i int) bool {
	switch {
	case s[i] == '[':
		word := 1 + strings.LastIndexAny(s[:i], "[ ")
		return strings.Contains(s[word:i], "##")
	case strings.HasPrefix(s[i:], "::"):
		return i == 0 || strings.Contains(" \t\n", s[i-1:i])
	}
	return false
}

// NewJSON encodes a document for a reader, indented. Its strings hold no "##", with which
// commands for a runner of CI begin, see [command]: it may stand in a job's log. A reader
// of JSON gets the same text.
func NewJSON(w io.Writer) *json.Encoder {
	e := json.NewEncoder(withoutHashes{w})
	e.SetIndent("", " ")
	return e
}

// withoutHashes writes JSON, in which a # stands in strings alone.
type withoutHashes struct{ to io.Writer }

// Write implements io.Writer.
func (w withoutHashes) Write(b []byte) (int, error) {
	if _, err := w.to.Write(bytes.ReplaceAll(b, []byte("##"), []byte(`\u0023\u0023`))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Clip shortens what a server made long to n bytes.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
