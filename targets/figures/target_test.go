package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness"
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
	for start, want := range map[string]string{
		"true":            "ended before",
		"no-such-command": "no-such-command",
		"ls no-such-file": "\nls: ", // what it complained of
	} {
		_, err := target{Start: start, dir: t.TempDir()}.start(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", start, err, want)
		}
	}
}

// Where something failed, the table that was there stays.
func TestNoTableOfAFailure(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "table.md")
	for name, text := range map[string]string{"table.md": "good", "some/target.yaml": "name: some\ninstall: exit 3\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for runs, want := range map[int]string{0: "at least one run", 1: "exit 3"} {
		if err := figures(t.Context(), dir, "", runs, 1, out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d runs: %v, want %q", runs, err, want)
		}
	}
	if text, _ := os.ReadFile(out); string(text) != "good" {
		t.Errorf("the table is now %q", text)
	}
}

// A run that gave another verdict is told by scenario and run.
func TestRunsThatDiffer(t *testing.T) {
	run := func(v harness.Verdict) *harness.Run {
		return &harness.Run{Results: []*harness.Result{{Scenario: &harness.Scenario{ID: "abnormal/fin"}, Verdict: v}}}
	}
	if err := same(run(harness.Pass), run(harness.Pass), 2); err != nil {
		t.Error(err)
	}
	err := same(run(harness.Pass), run(harness.Fail), 3)
	if err == nil || !strings.Contains(err.Error(), "abnormal/fin: pass in run 1, fail in run 3") {
		t.Error(err)
	}
}
