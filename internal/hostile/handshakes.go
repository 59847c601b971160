package hostile

import "strings"

// Escapes has bytes that break an output without escaping: terminal commands, XML, line
// breaks, invalid UTF-8.
const Escapes = "\x1b[2J\x1b]0;pwned\a ]]></failure>\r\n\x00 \u202e \xff"

// handshakes lists the servers whose opening handshake fails.
func handshakes() []Misbehaviour {
	return []Misbehaviour{
		{"no-handshake", "reads, and answers nothing", 0, (*conn).drain},
		{"no-handshake-later", "reads, and answers nothing, from the second connection on", 1, (*conn).drain},
		{"half-response", "sends half of a response, and no more", 1, halfResponse},
		{"megabyte-header", "answers with a header of a megabyte", 1, megabyteHeader},
		{"not-http", "answers with control characters", 0, answerEscapes},
		{"not-http-later", "answers with control characters, from the second connection on", 1, answerEscapes},
	}
}

func halfResponse(c *conn) {
	if c.request() != nil {
		c.writeText(response)
		c.drain()
	}
}

func megabyteHeader(c *conn) {
	if c.request() != nil {
		c.writeText(response + "X: " + strings.Repeat("y", 1<<20) + "\r\n\r\n")
		c.drain()
	}
}

func answerEscapes(c *conn) {
	if c.request() != nil {
		c.writeText(Escapes + "\r\n\r\n")
	}
}
