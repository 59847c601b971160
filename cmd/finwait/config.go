package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/internal/nearest"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/settings"
)

// config holds the settings that are not flags. The command line takes precedence over the
// environment, and the environment over the file. The keys of the file are the names of the
// flags, and url, rules and known-failures. So each setting has one name and one check.
type config struct {
	file  string
	url   string
	known []*rules.KnownFailure
}

func (g *config) add(c *cobra.Command) {
	c.Flags().StringVar(&g.file, "config", "", "read from this `file` the settings that neither the command line nor the "+
		"environment has (default finwait.yaml, if there is one)")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
}

// load sets the flags that the command line leaves open, and returns the URL, if there is one.
// A URL without {port} names a server that is running. It overrides a command that would start a
// server, if the command comes from a source of lower precedence. A command overrides such a URL
// in the same way.
func (g *config) load(c *cobra.Command, args []string) (urls []string, err error) {
	started := c.Flags().Changed("exec") // by the command line: a URL from the environment or the file does not override it
	running := len(args) > 0 && !servers.HasPort(args[0])
	free := func(f *pflag.Flag) bool {
		starts := f.Name == "exec" || f.Name == "ready-timeout"
		return (!f.Changed || f.Name == "rule") && configurable(f.Name) && (!running || !starts)
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		text := strings.TrimSpace(os.Getenv(variable(f.Name)))
		if text == "" || !free(f) || err != nil {
			return
		}
		values := []string{text}
		if _, many := f.Value.(pflag.SliceValue); many || f.Name == "rule" {
			values = strings.Split(text, "\n")
		}
		for _, v := range values {
			if e := give(f, strings.TrimSpace(v), true); e != nil && err == nil {
				err = fmt.Errorf("$%s: %w", variable(f.Name), e)
			}
			f.Changed = true
		}
	})
	if err != nil {
		return nil, err
	}
	g.url = strings.Join(args, "")
	if text := strings.TrimSpace(os.Getenv(variable("url"))); text != "" && g.url == "" && (!started || servers.HasPort(text)) {
		if _, err := servers.ParseTemplate(text); err != nil {
			return nil, fmt.Errorf("$%s: %w", variable("url"), err)
		}
		g.url = text
	}
	running = g.url != "" && !servers.HasPort(g.url)
	if err := g.read(c, free); err != nil || g.url == "" {
		return args, err
	}
	return []string{g.url}, nil
}

// variable returns the name of a setting's environment variable.
func variable(name string) string {
	return "FINWAIT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// configurable reports whether a flag is a setting.
func configurable(name string) bool { return name != "config" && name != "help" }

// runFlags returns the flags of finwait run. Every command reads the same file, and uses only
// the settings that it has as flags.
func runFlags() *pflag.FlagSet { return runCommand().Flags() }

// targetSettings returns the flags that finwait run shares with other commands.
func targetSettings() *pflag.FlagSet {
	c := &cobra.Command{}
	new(targetFlags).add(c)
	new(processFlags).add(c)
	new(observerFlags).add(c)
	return c.Flags()
}

// read reads the settings from the file.
func (g *config) read(c *cobra.Command, free func(*pflag.Flag) bool) error {
	name := g.file
	if name == "" {
		name = os.Getenv(variable("config"))
	}
	wanted := name != ""
	if !wanted {
		name = settings.File
	}
	root, err := settings.Read(name)
	if errors.Is(err, fs.ErrNotExist) && !wanted || err == nil && root == nil {
		return nil
	}
	if err != nil {
		return err
	}
	all, seen := runFlags(), map[string]bool{}
	starts := c.Flags().Changed("exec")
	keys := append(names(all), settings.URL, settings.Weights, settings.KnownFailures)
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case !slices.Contains(keys, key.Value):
			return settings.At(name, key, "there is no setting %.40q%s", key.Value, nearest.Hint(key.Value, keys))
		case seen[key.Value]:
			return settings.At(name, key, "%s is set twice", key.Value)
		}
		seen[key.Value] = true
		f := all.Lookup(key.Value)
		if settings.Unset(value) && (f == nil || f.Value.Type() != "code" || value.Value == "") {
			continue
		}
		var err error
		switch key.Value {
		case settings.KnownFailures:
			g.known, err = settings.Known(name, value)
		case settings.Weights:
			err = ruleWeights(name, c, all.Lookup("rule"), value)
		case "url":
			if value.Kind != yaml.ScalarNode {
				return settings.At(name, value, "url: give one, such as ws://127.0.0.1:8080/")
			}
			if _, err := servers.ParseTemplate(value.Value); err != nil {
				return settings.At(name, value, "url: %s", err)
			}
			if g.url == "" && (!starts || servers.HasPort(value.Value)) {
				g.url = value.Value
			}
		default:
			err = setting(name, c, f, value, free)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setting sets a flag to the value in the file. If the command does not have the flag, or the flag
// is set already, the value is only checked.
func setting(file string, c *cobra.Command, f *pflag.Flag, value *yaml.Node, free func(*pflag.Flag) bool) error {
	taken := false
	if own := c.Flags().Lookup(f.Name); own != nil && free(own) && (c.Name() == "run" || targetSettings().Lookup(f.Name) != nil) {
		f, taken = own, true
	}
	items := []*yaml.Node{value}
	if _, many := f.Value.(pflag.SliceValue); many && value.Kind == yaml.SequenceNode {
		items = value.Content
	}
	for _, v := range items {
		text := v.Value
		switch {
		case v.Kind != yaml.ScalarNode:
			return settings.At(file, v, "%s takes one value", f.Name)
		case settings.Unset(v) && f.Value.Type() != "code":
			return settings.At(file, v, "%s has an empty item: leave it out", f.Name)
		case settings.Unset(v):
			text = "null"
		}
		if err := give(f, text, taken); err != nil {
			return settings.At(file, v, "%s: %s", f.Name, err)
		}
		f.Changed = true
	}
	return nil
}

// ruleWeights sets the weights of rules from the file.
func ruleWeights(file string, c *cobra.Command, f *pflag.Flag, list *yaml.Node) error {
	if own := c.Flags().Lookup(f.Name); own != nil {
		f = own
	}
	return settings.RuleWeights(file, list, func(text string) error { return give(f, text, true) })
}

// inFile reports whether a flag is a setting that has the same name in the file.
func inFile(name string) bool { return configurable(name) && name != "rule" }

// names returns the names of the flags that are settings in the file.
func names(set *pflag.FlagSet) (out []string) {
	set.VisitAll(func(f *pflag.Flag) {
		if inFile(f.Name) {
			out = append(out, f.Name)
		}
	})
	return out
}
