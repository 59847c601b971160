package servers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/internal/secret"
)

// placeholder matches {name}, and also the shell's parameter ${name}.
var placeholder = regexp.MustCompile(`\$?\{[a-z]+\}`)

// CheckPlaceholders returns an error of one line if a command line has a placeholder that is
// not among the known ones.
func CheckPlaceholders(line string, known ...string) error {
	for _, found := range placeholder.FindAllString(line, -1) {
		if found[0] == '$' || slices.Contains(known, found) {
			continue
		}
		advice := "give " + strings.Join(known, " ")
		if len(known) == 0 {
			advice = "leave it out"
		}
		return fmt.Errorf("has %s, which nothing fills in: %s; braces of the command's own need a blank, as in { %s }",
			found, advice, strings.Trim(found, "{}"))
	}
	return nil
}

// RunLine returns a function that runs a command line of the user with sh -c, and blocks
// until the command has ended or the context is done. The error is one line, with what the
// command wrote last and without secrets.
func RunLine(commands *process.Commands, line string, secrets secret.Known) func(context.Context) error {
	return func(ctx context.Context) error {
		if out, err := commands.Run(process.Shell(ctx, line)); err != nil {
			return fmt.Errorf("%s: %w: %+.200q", secrets.Mask(line), err, secrets.Mask(strings.TrimSpace(out)))
		}
		return nil
	}
}
