package rules_test

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/finwait/finwait/peers"
)

// scanner takes the words of a line one after the other; the first wrong one is its error.
type scanner struct {
	words []string
	wrong error
}

// fields splits a line at its spaces; commas behind words are left out, and a
// quoted string is one word.
func fields(s string) (out []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(strings.TrimPrefix(s, ",")) {
		quoted, err := strconv.QuotedPrefix(s)
		if err == nil {
			text, _ := strconv.Unquote(quoted)
			out, s = append(out, text), s[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(s, " ")
		out, s = append(out, strings.TrimSuffix(word, ",")), rest
	}
	return out
}

func (s *scanner) done() bool { return len(s.words) == 0 || s.wrong != nil }

func (s *scanner) word() string {
	if s.done() {
		s.fail()
		return ""
	}
	word := s.words[0]
	s.words = s.words[1:]
	return word
}

func (s *scanner) fail() {
	s.wrong = cmp.Or(s.wrong, fmt.Errorf("a word is missing or wrong before %q", s.words))
}

func (s *scanner) expect(words ...string) {
	for _, want := range words {
		if s.word() != want {
			s.fail()
		}
	}
}

func (s *scanner) number() int {
	n, err := strconv.Atoi(s.word())
	s.wrong = cmp.Or(s.wrong, err)
	return n
}

func (s *scanner) duration() time.Duration {
	d, err := time.ParseDuration(s.word())
	s.wrong = cmp.Or(s.wrong, err)
	return d
}

func (s *scanner) at() time.Duration {
	s.expect("at")
	return s.duration()
}

// code is a close code, or null.
func (s *scanner) code() *int {
	if !s.done() && s.words[0] == "null" {
		s.word()
		return nil
	}
	n := s.number()
	return &n
}

// closeFrame reads what follows "close": a code, a reason, the body in hex, what is
// unusual in its header, and its time.
func (s *scanner) closeFrame() peers.Close {
	c := peers.Close{Frame: peers.Header{Fin: true, Opcode: peers.OpClose}}
	length := -1
	for !s.done() && s.words[0] != "at" {
		switch word := s.word(); word {
		case "body":
			body, err := hex.DecodeString(s.word())
			s.wrong = cmp.Or(s.wrong, err)
			c.Body = body
		case "reason":
			c.Body = append(c.Body, s.word()...)
		case "masked":
			c.Frame.Masked = true
		case "fragmented":
			c.Frame.Fin = false
		case "reserved":
			c.Frame.RSV = byte(s.number()) //nolint:gosec // a test's own number
		case "length":
			length = s.number()
		default:
			code, err := strconv.ParseUint(word, 10, 16)
			s.wrong = cmp.Or(s.wrong, err)
			c.Body = peers.CloseFrame(uint16(code), "").Payload
		}
	}
	if length < 0 {
		length = len(c.Body)
	}
	c.Frame.Length = uint64(length) //nolint:gosec // not negative
	c.At = s.at()
	return c
}

// err is the first error; words that are left are one.
func (s *scanner) err(key string) error {
	if s.wrong == nil && len(s.words) > 0 {
		return fmt.Errorf("%q has too many words: %q", key, s.words)
	}
	return s.wrong
}
