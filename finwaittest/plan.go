package finwaittest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/settings"
)

// plan holds what a run needs.
type plan struct {
	target    *servers.Target
	scenarios []*harness.Scenario
	options   harness.Options
}

// plan checks the fields and reads the settings, for the test with that name. The
// port of a Handler is not known yet.
func (s Server) plan(test string) (*plan, error) {
	target, err := s.target()
	if err != nil {
		return nil, err
	}
	if s.Start != nil {
		target.Name = "Start"
		if err := process(target.Process, test); err != nil {
			return nil, err
		}
	}
	known, err := s.configure(&target.Profile)
	if err != nil {
		return nil, err
	}
	if target.Profile, err = target.Profile.WithDefaults(); err != nil {
		return nil, err
	}
	if s.AtOnce < 0 || s.Repeat < 0 || s.Crowd < 0 {
		return nil, fmt.Errorf("AtOnce %d, Repeat %d, Crowd %d: none may be negative", s.AtOnce, s.Repeat, s.Crowd)
	}
	chosen, err := scenarios.Selection{Only: s.Only, Skip: s.Skip}.Apply(scenarios.Sized(cmp.Or(s.Crowd, scenarios.CrowdSize)))
	if err != nil {
		return nil, err
	}
	options := harness.Options{AtOnce: s.AtOnce, Repeat: s.Repeat, Known: known}
	return &plan{target: target, scenarios: shortened(chosen), options: options}, nil
}

// configure completes the profile from the file of settings, and reads the known failures.
func (s Server) configure(p *rules.Profile) (known []*rules.KnownFailure, err error) {
	weights := scenarios.WeightFlag{To: &p.Weights}
	for rule, weight := range s.Rules {
		if err := weights.Set(rule + "=" + weight); err != nil {
			return nil, fmt.Errorf("in Rules: %w", err)
		}
	}
	file := cmp.Or(s.Config, settings.File)
	root, err := settings.Read(file)
	if errors.Is(err, fs.ErrNotExist) && s.Config == "" || err == nil && root == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	limits := map[string]flags.Limit{
		"close-timeout": {To: &p.CloseTimeout, Least: flags.Shortest},
		"response":      {To: &p.Response, Least: flags.Shortest},
		"stop-timeout":  {To: &p.StopTimeout, Least: flags.Shortest},
		"patience":      {To: &p.Patience},
		"ping-interval": {To: &p.PingInterval},
	}
	for i := 0; i < len(root.Content) && err == nil; i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if settings.Unset(value) {
			continue
		}
		limit, isLimit := limits[key.Value]
		switch {
		case isLimit:
			err = setLimit(file, key.Value, value, limit)
		case key.Value == "strict":
			var strict bool
			if strict, err = strconv.ParseBool(value.Value); err != nil {
				err = settings.At(file, value, "strict: %.40q is neither true nor false", value.Value)
			}
			p.Strict = p.Strict || strict
		case key.Value == settings.Weights:
			err = settings.RuleWeights(file, value, weights.SetDefault)
		case key.Value == settings.KnownFailures:
			known, err = settings.Known(file, value)
		}
	}
	return known, err
}

// setLimit takes a limit from the file. It checks the limit even if a field of Server overrides it.
func setLimit(file, key string, value *yaml.Node, limit flags.Limit) error {
	given := *limit.To
	if err := limit.Set(value.Value); err != nil {
		return settings.At(file, value, "%s: %.40q is %s", key, value.Value, err)
	}
	if given != 0 {
		*limit.To = given
	}
	return nil
}
