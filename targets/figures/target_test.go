package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/scenarios"
)

// Every target says what the table needs, and the version that its lock file pins.
func TestTargets(t *testing.T) {
	targets, err := load("..", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		t.Run(target.Name, func(t *testing.T) {
			if target.Name != filepath.Base(target.dir) || target.Language == "" || target.Library == "" || target.Source == "" || target.Install == "" || target.Start == "" || target.Notes == "" {
				t.Errorf("incomplete: %+v", target)
			}
			if _, err := (scenarios.Selection{Only: target.Alone}).Apply(scenarios.All()); err != nil {
				t.Error(err)
			}
			pinned := ""
			for _, file := range []string{"package-lock.json", "go.sum"} {
				text, _ := os.ReadFile(filepath.Join(target.dir, file))
				pinned += string(text)
				if strings.Contains(string(text), `"resolved"`) {
					t.Errorf("%s names a registry", file)
				}
			}
			if !strings.Contains(pinned, target.Version) {
				t.Errorf("version %s is not in the lock file", target.Version)
			}
		})
	}
}

func TestAServerThatIsNotOne(t *testing.T) {
	for start, want := range map[string]string{"true": "ended before", "no-such-command": "no-such-command"} {
		_, err := target{Start: start, dir: t.TempDir()}.start(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", start, err)
		}
	}
}
