package rules_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestVectorFormat: what is misspelt in a vector is an error, and not a record that
// lacks something.
func TestVectorFormat(t *testing.T) {
	const name = "R8 ClosesTCP kept: a title"
	for _, c := range []struct{ why, name, data string }{
		{"no outcome", "R8 ClosesTCP: a title", ""},
		{"an unknown outcome", "R8 ClosesTCP passed: a title", ""},
		{"no title", "R8 ClosesTCP kept", ""},
		{"a reason without never", name, "because: of it\n"},
		{"never without a reason", "R8 ClosesTCP never moot", ""},
		{"never with a record", "R8 ClosesTCP never moot", "because: of it\nstatus: 101\n"},
		{"an unknown key", name, "receive: FIN at 1ms\n"},
		{"no key", name, "FIN at 1ms\n"},
		{"an unknown word", name, "received: Fin at 1ms\n"},
		{"a word too many", name, "received: FIN at 1ms late\n"},
		{"no time", name, "received: FIN\n"},
		{"a time without a unit", name, "received: FIN at 1\n"},
		{"a code out of range", name, "sent: close 65536 at 1ms\n"},
		{"two sockets", name, "socket: held for 1s\nsocket: held for 2s\n"},
		{"two statuses of a peer in a crowd", name, "crowd: 1 polite\n  status: 0\n  status: 101\n"},
		{"an unknown limit", name, "profile: patience-timeout 1s\n"},
		{"indented without a crowd", name, "  status: 400\n"},
		{"a crowd inside a crowd", name, "crowd: 1 polite\n  crowd: 1 polite\n"},
		{"a crowd of a negative number", name, "crowd: -1 polite\n"},
		{"an exit of a peer in a crowd", name, "crowd: 1 polite\n  exit: status 0 at 1s\n"},
	} {
		if _, err := parseVector(txtar.File{Name: c.name, Data: []byte(c.data)}); err == nil {
			t.Errorf("%s: no error", c.why)
		}
	}
}
