package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/finwait/finwait/reports"
)

// version is set by the linker when a release is built.
var version string

// versionText returns the version of the release, or of the module that was built.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// generateCommand writes the files that are generated from the commands: manual pages and
// completions for packages, and the reference of the command line.
func generateCommand() *cobra.Command {
	var reference bool
	c := &cobra.Command{
		Use:    "generate FOLDER",
		Short:  "Write manual pages and completions for packages",
		Hidden: true,
		Args:   cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			root.DisableAutoGenTag = true
			if reference {
				return writeReference(c.OutOrStdout(), root)
			}
			if len(args) == 0 {
				return errors.New("give the folder to write to")
			}
			folder := args[0]
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "finwait", Manual: "User Commands"},
				folder); err != nil {
				return err
			}
			for name, write := range map[string]func(io.Writer) error{
				"finwait.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
				"_finwait":     root.GenZshCompletion,
				"finwait.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
				"finwait.ps1":  root.GenPowerShellCompletionWithDesc,
			} {
				if err := reports.WriteFile(filepath.Join(folder, name), write); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&reference, "reference", false, "print the reference of the command line instead")
	return c
}

// writeReference writes one page that describes all commands.
func writeReference(w io.Writer, root *cobra.Command) error {
	var b bytes.Buffer
	b.WriteString("# The command line\n\nWritten by `make docs` from the commands themselves. Every flag of `finwait run` " +
		"is also a\nkey of `finwait.yaml` and an environment variable (`--close-timeout`: `$FINWAIT_CLOSE_TIMEOUT`); " +
		"`--rule` is\nthe mapping `rules` there.\n")
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		for _, one := range append([]*cobra.Command{c}, below(root, c)...) {
			b.WriteString("\n## " + one.CommandPath() + "\n\n")
			text := one.Long
			if text == "" {
				text = one.Short
			}
			b.WriteString("```\n" + text + "\n\n" + one.UsageString() + "```\n")
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// below returns the subcommands of c. Those of the root are left out.
func below(root, c *cobra.Command) []*cobra.Command {
	if c == root {
		return nil
	}
	return c.Commands()
}
