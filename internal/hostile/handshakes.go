package hostile

import "strings"

// Escapes breaks what does not escape it: terminals, XML, lines, UTF-8.
const Escapes = "\x1b[2J\x1b]0;pwned\a ]]></failure>\r\n\x00 \u202e \xff"

// handshakes are the servers whose handshake goes wrong.
func handshakes() []Misbehaviour {
	return []Misbehaviour{
		{"no-handshake", "reads, and says nothing", 0, (*conn).drain},
		{"no-handshake-later", "reads, and says nothing, from the second connection on", 1, (*conn).drain},
		{"half-response", "sends half of a response, and no more", 1, halfResponse},
		{"megabyte-header", "answers with a header of a megabyte", 1, megabyteHeader},
		{"not-http", "answers with control characters", 0, answerEscapes},
		{"not-http-later", "answers with control characters, from the second connection on", 1, answerEscapes},
	}
}

func halfResponse(c *conn) {
	if c.request() != nil {
		c.say(response)
		c.drain()
	}
}

func megabyteHeader(c *conn) {
	if c.request() != nil {
		c.say(response + "X: " + strings.Repeat("y", 1<<20) + "\r\n\r\n")
		c.drain()
	}
}

func answerEscapes(c *conn) {
	if c.request() != nil {
		c.say(Escapes + "\r\n\r\n")
	}
}
