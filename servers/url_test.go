package servers

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://127.0.0.1:8080/":            "ws://127.0.0.1:8080/",
		"wss://user:pw@example.org/a?b=c": "wss://user:pw@example.org/a?b=c",
		"http://127.0.0.1:8080/":          "has no ws:// or wss://",
		"ws://:8080/":                     "names no host",
		"ws://127.0.0.1/#part":            "leave out #part",
		"ws://user:pw@127.0.0.1:port/":    `"127.0.0.1:port/" cannot be read`,
		"ws://127.0.0.1:{port}/":          "cannot be read",
	} {
		checkURL(t, raw, want, func() (string, error) {
			u, err := ParseURL(raw)
			if err != nil {
				return "", err
			}
			return u.String(), nil
		})
	}
}

func TestParseTemplate(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://127.0.0.1:{port}/":         "127.0.0.1:{port} /",
		"ws://[::1]:{port}/{port}/a":     "[::1]:{port} /{port}/a",
		"ws://127.0.0.1:8080/":           "127.0.0.1:8080 /",
		"ws://127.0.0.1:65535/65535":     "127.0.0.1:65535 /65535",
		"http://127.0.0.1:{port}/":       "has no ws:// or wss://",
		"ws://user:pw@127.0.0.1:{PORT}/": "cannot be read",
	} {
		checkURL(t, raw, want, func() (string, error) {
			u, err := ParseTemplate(raw)
			if err != nil {
				return "", err
			}
			return u.Host + " " + u.Path, nil
		})
	}
}

// checkURL checks what is parsed, or a part of the error, which shows no password.
func checkURL(t *testing.T, raw, want string, parse func() (string, error)) {
	t.Helper()
	got, err := parse()
	if err != nil {
		got = err.Error()
	}
	if got != want && (err == nil || !strings.Contains(got, want) || strings.Contains(got, "pw")) {
		t.Errorf("%s: got %q, want %q", raw, got, want)
	}
}
