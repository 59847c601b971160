package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/input"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

// Target is a real server. The target.yaml in its folder describes it.
type Target struct {
	Name, Language, Library, Version, Source string
	Packages                                 string // packages of the operating system that the target needs
	VersionExec                              string `yaml:"version-exec"` // a command that prints the installed version
	Install, Start                           string // commands that are run in the folder
	Path                                     string // path of the URL; empty: /
	TLS                                      bool   // the URL is wss; its certificate is not verified
	Notes                                    string // what the library's documentation says about closing

	CloseTimeout time.Duration `yaml:"close-timeout"` // the declared limit, as in [rules.Profile]
	PingInterval time.Duration `yaml:"ping-interval"`
	Conventions  Conventions

	Shutdown string            // what the application does when it is asked to stop; empty: no stop is measured
	Commands string            // commands of the control contract that work: "close terminate fill kick-all events open"
	Only     []string          // patterns of the scenarios that the target is for; empty: all scenarios
	Alone    []string          // scenarios that kill the server: each runs on a new process
	Races    map[string]string // by scenario: why its verdict is not steady
	Because  map[string]string // by rule, "family rule" or "scenario rule": why the rule is breached

	dir string
}

// Conventions say how a library's close event differs from RFC 6455.
type Conventions struct {
	NoCode   Code   `yaml:"no-code"`   // code for a Close frame without a code, besides 1005
	LostCode Code   `yaml:"lost-code"` // code if TCP ended without a Close frame, besides 1006
	Kill     string // "untold": the application gets no event for its own hard kill
	Source   string // where the library documents that
}

// validName matches the names that a target may have.
var validName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._+-]{0,99}$`)

// Code is a close code, or null.
type Code = yaml.Node

// File returns the path of the target's description.
func (t *Target) File() string { return filepath.Join(t.dir, "target.yaml") }

// Load reads the target.yaml of each folder. Among several folders, one without a target.yaml
// is skipped, so that a shell's pattern can name all of them. A single folder without a
// target.yaml is an error. Each error is one line.
func Load(dirs ...string) ([]*Target, error) {
	var out []*Target
	for _, dir := range dirs {
		t, err := load(filepath.Clean(dir))
		switch {
		case err == nil:
			out = append(out, t)
		case len(dirs) > 1 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		default:
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no target.yaml in %s: give folders such as targets/*", strings.Join(dirs, " "))
	}
	for i, t := range out {
		if slices.ContainsFunc(out[:i], func(o *Target) bool { return o.Name == t.Name }) {
			return nil, fmt.Errorf("target %s is given twice", t.Name)
		}
	}
	return out, nil
}

func load(dir string) (*Target, error) {
	t := &Target{dir: dir}
	text, err := input.Read(t.File(), input.Settings)
	if err != nil {
		return nil, err
	}
	if err := yaml.Load(bytes.TrimSpace(text), t, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", t.File(), err)
	}
	for _, need := range [][2]string{{"name", t.Name}, {"language", t.Language}, {"library", t.Library}, {"version",
		t.Version}, {"install", t.Install}, {"start", t.Start}} {
		if strings.TrimSpace(need[1]) == "" {
			return nil, fmt.Errorf("%s has no %s", t.File(), need[0])
		}
	}
	if !validName.MatchString(t.Name) {
		const advice = "give letters, digits, blanks and . _ + - of which the first is a letter or a digit: files are named by it"
		return nil, fmt.Errorf("%s: name %+.60q: %s", t.File(), t.Name, advice)
	}
	p, err := t.profile(rules.Profile{})
	if err != nil {
		return nil, err
	}
	if _, err := p.WithDefaults(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.File(), err)
	}
	if _, err := (scenarios.Selection{Skip: t.Alone}).Apply(scenarios.All()); err != nil {
		return nil, fmt.Errorf("%s: alone: %w", t.File(), err)
	}
	raced := scenarios.Selection{Skip: slices.Sorted(maps.Keys(t.Races))}
	if _, err := raced.Apply(scenarios.All()); err != nil {
		return nil, fmt.Errorf("%s: races: %w", t.File(), err)
	}
	if _, err := t.chosen(scenarios.All()); err != nil {
		return nil, fmt.Errorf("%s: only: %w", t.File(), err)
	}
	return t, nil
}

// chosen returns the scenarios of the list that the target is for.
func (t *Target) chosen(list []*harness.Scenario) ([]*harness.Scenario, error) {
	list = slices.DeleteFunc(slices.Clone(list), func(s *harness.Scenario) bool {
		return s.Stops && t.Shutdown == "" || slices.Contains(s.Needs, evidence.TLS) && !t.TLS
	})
	if len(t.Only) == 0 {
		return list, nil
	}
	return scenarios.Selection{Only: t.Only}.Apply(list)
}

// profile returns p with the limits and conventions that the target declares.
func (t *Target) profile(p rules.Profile) (rules.Profile, error) {
	if t.CloseTimeout != 0 {
		p.CloseTimeout = t.CloseTimeout
	}
	if t.PingInterval != 0 {
		p.PingInterval = t.PingInterval
	}
	for name, c := range map[string]struct {
		from *Code
		to   *rules.Convention
	}{"no-code": {&t.Conventions.NoCode, &p.NoCode}, "lost-code": {&t.Conventions.LostCode, &p.LostCode}} {
		if c.from.Kind == 0 || c.from.ShortTag() == "!!null" && c.from.Value == "" { // the key is missing or has no value
			continue
		}
		c.to.Declared = true
		if c.from.ShortTag() == "!!null" {
			continue
		}
		var code int
		if err := c.from.Decode(&code); err != nil || code < 0 || code > 65535 {
			return p, fmt.Errorf("%s: conventions: %s: give a close code from 0 to 65535, or null", t.File(), name)
		}
		c.to.Code = &code
	}
	if t.Conventions.Kill != "" && t.Conventions.Kill != "untold" {
		return p, fmt.Errorf("%s: conventions: kill: give untold, or leave it out", t.File())
	}
	p.KillUntold = p.KillUntold || t.Conventions.Kill != ""
	return p, nil
}

// because returns the explanation of a breach, one sentence, or "" if there is none. The
// explanation of a rule also holds for the rule about each peer of a crowd (-crowd).
func (t *Target) because(id, rule string) string {
	family, _, _ := strings.Cut(id, "/")
	for _, rule := range []string{rule, strings.TrimSuffix(rule, "-crowd")} {
		for _, key := range []string{id + " " + rule, family + " " + rule, rule} {
			if why := t.Because[key]; why != "" {
				return why
			}
		}
	}
	return t.Races[id]
}
