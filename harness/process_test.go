package harness

import (
	"testing"

	"github.com/finwait/finwait/internal/process"
)

func TestDirect(t *testing.T) {
	for line, want := range map[string]string{
		"node server.js":                        "exec node server.js",
		"NODE_ENV=production node server.js":    "NODE_ENV=production exec node server.js",
		`A=1 B="b c" C='d e' node server.js`:    `A=1 B="b c" C='d e' exec node server.js`,
		"PORT={port} exec node server.js":       "PORT={port} exec node server.js",
		"A=${B:-c d} node server.js":            "A=${B:-c d} node server.js", // not understood
		"exec node server.js":                   "exec node server.js",
		"make && node server.js":                "make && node server.js",
		"A=`echo 1 2` node --title=x server.js": "A=`echo 1 2` node --title=x server.js",
		"node --title=x server.js":              "exec node --title=x server.js",
	} {
		if got := direct(line); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
}

func TestLastWords(t *testing.T) {
	for output, want := range map[string]string{
		"":                    "",
		"starting\nthe end\n": `: it wrote "the end"`,
		"node:net:1\nError: listen EADDRINUSE: address already in use\n    at Server.listen\n\nNode.js v20.20.2\n": `: it wrote "Error: listen EADDRINUSE: address already in use"`,
	} {
		s := &Server{Server: &process.Server{Output: &process.Tail{}}}
		_, _ = s.Output.Write([]byte(output))
		if got := s.lastWords(); got != want {
			t.Errorf("of %q: %q", output, got)
		}
	}
}
