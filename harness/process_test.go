package harness

import (
	"testing"

	"github.com/finwait/finwait/internal/process"
)

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
