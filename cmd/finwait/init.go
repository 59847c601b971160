package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/finwait/finwait/internal/secret"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/settings"
)

// schemaURL is the address from which editors load the schema of the settings.
const schemaURL = "https://raw.githubusercontent.com/finwait/finwait/main/docs/finwait.schema.json"

func initCommand() *cobra.Command {
	var exec string
	var schema, force bool
	c := &cobra.Command{
		Use:   "init [--exec COMMAND] [URL]",
		Short: "Write a finwait.yaml with every setting, commented",
		Long: `Write finwait.yaml into the current directory: the target, and every other
setting as a comment with its meaning and its default. finwait run, crowd and
check-target take from it what neither the command line nor the environment
($FINWAIT_CLOSE_TIMEOUT and so on) says.`,
		Example: `  finwait init ws://127.0.0.1:8080/
  finwait init --exec 'node server.js'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if schema {
				return writeSchema(c.OutOrStdout())
			}
			if _, err := os.Lstat(settings.File); err == nil && !force {
				return fmt.Errorf("%s is there already: edit it, or give --force", settings.File)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			url := strings.Join(args, "")
			if url != "" || exec != "" { // finwait run makes the same checks
				p := processFlags{line: exec, signal: "TERM"}
				if _, err := p.target(&targetFlags{}, cmp.Or(url, ownURL())); err != nil {
					return err
				}
			}
			if err := reports.WriteFile(settings.File, func(w io.Writer) error { return writeConfig(w, url, exec) }); err != nil {
				return err
			}
			if secret.Mask(url+" "+exec) != url+" "+exec {
				say(c.OutOrStdout(), "%s holds what looks like a secret: keep it out of the repository,"+
					" or give that by $FINWAIT_URL or $FINWAIT_EXEC instead", settings.File)
			}
			say(c.OutOrStdout(), "wrote %s; now: finwait run", settings.File)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&exec, "exec", "", "the shell `command` that starts the server")
	f.BoolVar(&force, "force", false, "write over a finwait.yaml that is there")
	f.BoolVar(&schema, "schema", false, "print the JSON Schema of finwait.yaml instead")
	return c
}

// writeConfig writes a file of settings in which only url and exec are set.
func writeConfig(w io.Writer, url, exec string) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# yaml-language-server: $schema=%s
# What finwait run, crowd and check-target take from here is what neither their
# command line nor the environment ($FINWAIT_CLOSE_TIMEOUT and so on) says.

# The server that is tested: where it listens; or the shell command that starts it,
# with a free port in $PORT, for which {port} stands in the URL.
`, schemaURL)
	set := func(on bool, key, value string) {
		if !on {
			b.WriteString("# ")
		}
		text, _ := json.Marshal(value) // a JSON string is a YAML string
		fmt.Fprintf(&b, "%s: %s\n", key, text)
	}
	set(url != "", "url", cmp.Or(url, "ws://127.0.0.1:8080/"))
	set(exec != "", "exec", cmp.Or(exec, "node server.js"))
	runFlags().VisitAll(func(f *pflag.Flag) {
		if !inFile(f.Name) || f.Name == "exec" {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "\n%s\n# %s: %s\n", comment(usage), f.Name, example(f))
	})
	b.WriteString(`
# What a breach of a rule does, before its grade and strict: fail, warn, or off where
# the rule is not judged.
# rules: {}

# Rules that scenarios are known to break: that does not fail the run, until the date
# that may stand here; that none of them breaks the rule any more does. The id may be a
# pattern, such as shutdown/*, and rule a list.
# known-failures:
#   - id: linger/no-fin
#     rule: R19
#     reason: https://example.org/issues/1
#     until: 2099-12-31
`)
	_, err := io.WriteString(w, b.String())
	return err
}

// comment breaks a text into comment lines of at most 80 bytes.
func comment(text string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column == 0 || column+1+len(word) > 80 {
			if column > 0 {
				b.WriteByte('\n')
			}
			b.WriteByte('#')
			column = 1
		}
		b.WriteString(" " + word)
		column += 1 + len(word)
	}
	return b.String()
}

// example returns a value for the setting that changes nothing: its default, or a code that is
// accepted anyway.
func example(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "stringArray", "intSlice":
		return "[]"
	case "string":
		text, _ := json.Marshal(f.DefValue)
		return string(text)
	case "duration":
		return cmp.Or(f.DefValue, "0s")
	case "code":
		return map[string]string{"event-no-code": "1005", "event-lost-code": "1006"}[f.Name]
	}
	return f.DefValue
}

// writeSchema writes the JSON Schema of finwait.yaml.
func writeSchema(w io.Writer) error {
	type object = map[string]any
	text, rule := object{"type": "string"}, object{"enum": scenarios.RuleIDs(scenarios.All())}
	properties := object{
		"url": object{"type": "string", "pattern": "^wss?://", "description": "where the server listens, such as ws://127.0.0.1:8080/"},
		settings.Weights: object{
			"description": "what a breach of a rule does, before its grade and strict: fail, warn, or off where " +
				"the rule is not judged",
			"type":                 "object",
			"propertyNames":        rule,
			"additionalProperties": object{"enum": []rules.Weight{rules.Fails, rules.Warns, rules.Off}},
		},
		settings.KnownFailures: object{
			"description": "rules that scenarios are known to break: that does not fail the run; that none breaks the rule any more does",
			"type":        "array",
			"items": object{
				"type": "object", "additionalProperties": false, "required": []string{"id", "rule", "reason"},
				"properties": object{
					"id": object{"type": "string", "minLength": 1, "description": "of a scenario, see finwait list, " +
						"or a pattern as --only takes it, such as shutdown/*"},
					"rule": object{"anyOf": []object{rule, {"type": "array", "items": rule, "minItems": 1}},
						"description": "what is broken; no other rule is excused"},
					"reason": object{"type": "string", "minLength": 1},
					"until":  object{"type": "string", "format": "date", "description": "the last day on which it is excused"},
				},
			},
		},
	}
	runFlags().VisitAll(func(f *pflag.Flag) {
		if !inFile(f.Name) {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		kinds := map[string]object{
			"bool":     {"type": "boolean"},
			"int":      {"type": "integer"},
			"pid":      {"type": "integer", "minimum": 1},
			"duration": {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$"},
			"code":     {"type": []string{"integer", "null"}, "minimum": 0, "maximum": 65535},
			"intSlice": {"anyOf": []object{{"type": "integer"}, {"type": "array", "items": object{"type": "integer"}}}},
		}
		kind, ok := kinds[f.Value.Type()]
		if !ok {
			kind = object{"type": "string"}
		}
		if f.Value.Type() == "stringArray" {
			kind = object{"anyOf": []object{text, {"type": "array", "items": text}}}
		}
		kind["description"] = usage
		properties[f.Name] = kind
	})
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schemaURL, "title": "finwait.yaml: the settings of finwait",
		"type": "object", "additionalProperties": false, "properties": properties,
	})
}
