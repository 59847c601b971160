package matrix

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

func folders(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("../targets/*")
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// leaning matches an explanation that refers to the explanation of another rule.
var leaning = regexp.MustCompile(`^the same\b|\b(as|see) R\d`)

// Every target says what the matrix needs, and the version that its lock file
// pins; nothing in it names a registry.
func TestTargets(t *testing.T) {
	targets, err := Load(folders(t)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		t.Run(target.Name, func(t *testing.T) {
			if target.Name != filepath.Base(target.dir) || target.Notes == "" || !strings.HasPrefix(target.Source, "https://") {
				t.Errorf("incomplete: %+v", target)
			}
			for _, c := range strings.Fields(target.Commands) {
				if !slices.Contains([]string{"close", "terminate", "fill", "kick-all", "events", "open"}, c) {
					t.Errorf("the contract has no command %q", c)
				}
			}
			pinned := target.Packages
			dir := target.dir
			if elsewhere, _, ok := strings.Cut(strings.TrimPrefix(target.Install, "cd "), " && "); ok &&
				strings.HasPrefix(target.Install, "cd ../") {
				dir = filepath.Join(dir, elsewhere)
			}
			for _, file := range []string{"package-lock.json", "go.sum", "requirements.txt", "Cargo.lock", "pom.xml"} {
				text, _ := os.ReadFile(filepath.Join(dir, file))
				pinned += string(text)
				if file == "package-lock.json" && strings.Contains(string(text), `"resolved"`) ||
					strings.Contains(string(text), "index-url") {
					t.Errorf("%s names a registry", file)
				}
			}
			if target.Packages == "" && !strings.Contains(pinned, target.Version) {
				t.Errorf("version %s is not in the lock file", target.Version)
			}
			for rule, why := range target.Because {
				if !strings.Contains(why, "(") || leaning.MatchString(why) {
					t.Errorf("%s: %q: say why, and in brackets where that stands in the library", rule, why)
				}
			}
			if target.Packages != "" && target.VersionExec == "" {
				t.Error("no lock file pins the version, and no version-exec tells it")
			}
		})
	}
}

const minimal = "name: some\nlanguage: C\nlibrary: l\nversion: 1\ninstall: 'true'\nstart: 'true'\n"

// folder writes a target with this description, and returns its folder.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "target.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBadDescriptions(t *testing.T) {
	for text, want := range map[string]string{
		"version: 1":                 "has no name",
		minimal + "prot: x":          "prot",
		minimal + "alone: [no/such]": "no/such",
		"name: [":                    "target.yaml",
		strings.Replace(minimal, "some", "../x", 1):       `target.yaml: name "../x": give letters`,
		strings.Replace(minimal, "some", "a/b", 1):        `target.yaml: name "a/b": give letters`,
		strings.Replace(minimal, "some", ".x", 1):         `name ".x": give`,
		strings.Replace(minimal, "some", `"a\x1b[2J"`, 1): `name "a\x1b[2J": give`,
		strings.Replace(minimal, "some", `"a\nb"`, 1):     `name "a\nb": give`,
		strings.Replace(minimal, "some", `'a\b'`, 1):      `name "a\\b": give`,
		minimal + "close-timeout: fast":                   "target.yaml",
		minimal + "conventions: {no-code: 70000}":         "no-code: give a close code",
		minimal + "conventions: {kill: often}":            "kill: give untold",
		minimal + "conventions: {lost-code: x}":           "lost-code: give a close code",
		minimal + "close-timeout: 2562047h":               "longer than 24h0m0s",
		minimal + "ping-interval: -1s":                    "negative",
	} {
		if _, err := Load(folder(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder without target.yaml is taken")
	}
	dir := folder(t, minimal)
	if _, err := Load(dir, dir); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
	if list, err := Load(dir, t.TempDir()); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestCheckVersion(t *testing.T) {
	for tells, want := range map[string]string{
		"echo 1":                 "",
		"echo note >&2; echo 1":  "",
		"echo 2":                 "version 2 of l is installed",
		"echo gone >&2; exit 77": "exit status 77: gone",
	} {
		list, err := Load(folder(t, minimal+"version-exec: '"+tells+"'\n"))
		if err != nil {
			t.Fatal(err)
		}
		err = list[0].checkVersion(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tells, err, want)
		}
		if out := measure(t.Context(), list[0], Options{}); want != "" && !strings.Contains(out.Error, want) {
			t.Errorf("%s: measured: %+v", tells, out)
		}
	}
}

func TestConventions(t *testing.T) {
	list, err := Load(folder(t, minimal+"close-timeout: 30s\nconventions: {no-code: 1000, lost-code: null, source: doc}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := list[0].profile(rules.Profile{})
	if err != nil || p.CloseTimeout.Seconds() != 30 || !p.NoCode.Declared || *p.NoCode.Code != 1000 ||
		!p.LostCode.Declared || p.LostCode.Code != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if got := newOutcome(list[0]).Conventions; got != "a Close without a code may be reported as code 1000; TCP gone "+
		"without a Close may be reported as code null; doc" {
		t.Error(got)
	}
}

func TestBecause(t *testing.T) {
	target := &Target{Because: map[string]string{"R1": "one", "linger R1": "two", "linger/no-fin R1": "three"}}
	for id, want := range map[string]string{"linger/no-fin": "three", "linger/other": "two", "abnormal/fin": "one"} {
		if got := target.because(id, "R1"); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
	if got := target.because("kick/all", "R1-crowd"); got != "one" {
		t.Error(got)
	}
	if got := target.because("linger/no-fin", "R2"); got != "" {
		t.Error(got)
	}
}

// A resumed run measures only the targets that have changed.
func TestKnown(t *testing.T) {
	parent := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(parent, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	described := strings.Replace(minimal, "start: 'true'", "start: node ../shared/server.js", 1)
	reset := func() *Target {
		t.Helper()
		for name, text := range map[string]string{
			"some/target.yaml": described, "some/app.js": "one", "some/node_modules/x/x.js": "one",
			"some/server": "\x7fELF\x00one", "shared/server.js": "one",
		} {
			write(name, text)
		}
		list, err := Load(filepath.Join(parent, "some"))
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	for _, c := range []struct {
		what, file, text string
		known            bool
	}{
		{"nothing", "some/app.js", "one", true},
		{"its server", "some/app.js", "two", false},
		{"a file more", "some/lib/more.js", "", false},
		{"the server that it shares", "shared/server.js", "two", false},
		{"what is installed", "some/node_modules/x/x.js", "two", true},
		{"what is built", "some/server", "\x7fELF\x00two", true},
		{"a command", "some/target.yaml", strings.Replace(described, "server.js", "server.js soft", 1), false},
		{"the contract's commands", "some/target.yaml", described + "commands: close\n", false},
		{"the scenarios", "some/target.yaml", described + "only: [sanity]\n", false},
		{"those that kill it", "some/target.yaml", described + "alone: [sanity/echo]\n", false},
		{"a convention", "some/target.yaml", described + "conventions: {no-code: 1000}\n", false},
		{"the explanations", "some/target.yaml", described + "because: {R1: so}\nraces: {sanity/echo: so}\nnotes: so\n", true},
	} {
		before := New(scenarios.All(), rules.Profile{}, 1)
		before.Targets = []*Outcome{newOutcome(reset())}
		write(c.file, c.text)
		list, err := Load(filepath.Join(parent, "some"))
		if err != nil {
			t.Fatal(err)
		}
		if got := New(scenarios.All(), rules.Profile{}, 1).known(before, list[0]) != nil; got != c.known {
			t.Errorf("%s changed: known %v, want %v", c.what, got, c.known)
		}
		_ = os.RemoveAll(filepath.Join(parent, "some", "lib"))
	}
}
