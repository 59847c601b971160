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

// placeholder is one in a command line, or a parameter of the shell's.
var placeholder = regexp.MustCompile(`\$?\{[a-z]+\}`)

// CheckPlaceholders tells, in one line, a placeholder of a command line that none
// of known fills in.
func CheckPlaceholders(line string, known ...string) error {
	for _, found := range placeholder.FindAllString(line, -1) {
		if found[0] == '$' || slices.Contains(known, found) {
			continue
		}
		advice := "give " + strings.Join(known, " ")
		if len(known) == 0 {
			advice = "leave it out"
		}
		return fmt.Errorf("has %s, which nothing fills in: %s; braces of the command's own need a blank, as in { %s }", found, advice, strings.Trim(found, "{}"))
	}
	return nil
}

// RunLine gives what runs a command line of the user with sh -c. Its error, in one line, has what
// the command wrote, without secrets.
func RunLine(commands *process.Commands, line string, secrets secret.Known) func(context.Context) error {
	return func(ctx context.Context) error {
		if out, err := commands.Run(process.Shell(ctx, line)); err != nil {
			return fmt.Errorf("%s: %w: %+.200q", secrets.Mask(line), err, secrets.Mask(strings.TrimSpace(out)))
		}
		return nil
	}
}
