package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/internal/input"
)

// The default name of the file, and the keys that are not flags of finwait run.
const (
	File          = "finwait.yaml"
	URL           = "url"
	Weights       = "rules" // a mapping; the command line has the flag --rule instead
	KnownFailures = "known-failures"
)

// Read reads the file, and returns its mapping of settings, or nil if the file holds only
// comments. An error is one line, which names the file, the line and the column. If there is
// no such file, the error is an [io/fs.ErrNotExist].
func Read(file string) (*yaml.Node, error) {
	text, err := input.Read(file, input.Settings)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err = decoder.Decode(&doc)
	if where := new(yaml.LoadError); errors.As(err, &where) {
		return nil, fmt.Errorf("%s:%d:%d: %s", file, where.Mark.Line, where.Mark.Column, where.Message)
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	root := doc.Content[0]
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s holds more than one YAML document: keep the first, and leave out the line --- and what follows", file)
	}
	if root.Kind != yaml.MappingNode {
		return nil, At(file, root, "the settings are a mapping, such as close-timeout: 30s")
	}
	return root, nil
}

// Unset reports whether a key has no value, as in "exec:", or the value null. Such a key is
// ignored, except that a close code may be null.
func Unset(v *yaml.Node) bool { return v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" }

// RuleWeights reads the weights of rules, the value of [Weights]. It calls set for each, with
// the text that the flag --rule takes, such as R36=off.
func RuleWeights(file string, list *yaml.Node, set func(text string) error) error {
	if list.Kind != yaml.MappingNode {
		return At(file, list, "%s gives rules their weights, such as {R36: off}", Weights)
	}
	seen := map[string]bool{}
	for i := 0; i < len(list.Content); i += 2 {
		rule, weight := list.Content[i], list.Content[i+1]
		if seen[rule.Value] {
			return At(file, rule, "%.40s is weighed twice", rule.Value)
		}
		seen[rule.Value] = true
		if err := set(rule.Value + "=" + weight.Value); err != nil {
			return At(file, rule, "%s: %s", Weights, err)
		}
	}
	return nil
}

// At returns an error that names the file, and the line and column of n.
func At(file string, n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", file, n.Line, n.Column, fmt.Sprintf(format, args...))
}
