package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/input"
	"github.com/finwait/finwait/matrix"
	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

func matrixCommand() *cobra.Command {
	var t targetFlags
	var file, markdown, html, curves string
	var fresh bool
	var selection scenarios.Selection
	o := matrix.Options{}
	c := &cobra.Command{
		Use:   "matrix FOLDER...",
		Short: "Run the catalogue against several servers and compare them",
		Long: `Start the server of each folder (its target.yaml says how), run the catalogue
against it, and write one comparison. What it starts is gone afterwards.

Every target that is done is kept in the JSON file at once; run again, finwait
goes on with those that are not in it, or were measured in another way. A file
of another host, catalogue, limits or runs is replaced only with --fresh.

Exit status: 0 all is measured, steady and explained, 1 something is not,
2 not carried out, or interrupted.`,
		Example: `  finwait matrix install targets/*
  finwait matrix targets/* --runs 3 --markdown docs/matrix.md
  finwait matrix targets/ws-8 --json ws.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.Runs < 1:
				return fmt.Errorf("--runs %d: at least one run is needed", o.Runs)
			case o.Jobs < 1:
				return fmt.Errorf("--jobs %d: at least one target at a time is needed", o.Jobs)
			}
			var err error
			if o.Scenarios, err = selection.Apply(scenarios.All()); err != nil {
				return err
			}
			targets, err := matrix.Load(args...)
			if err != nil {
				return err
			}
			if err := writable(file, markdown, html); err != nil {
				return err
			}
			for _, folder := range []string{o.Reports, curves} {
				if folder == "" {
					continue
				}
				if err := os.MkdirAll(folder, 0o755); err != nil {
					return err
				}
			}
			before, err := readMatrix(file)
			if err != nil {
				return err
			}
			o.Profile, o.Log = t.profile, c.OutOrStdout()
			limits, err := o.Profile.WithDefaults()
			if err != nil {
				return err
			}
			kept := matrix.New(o.Scenarios, limits, o.Runs)
			switch comparable := kept.Comparable(before); {
			case fresh:
				before = nil
			case before != nil && comparable == nil:
				return fmt.Errorf("%s was measured with another host, other scenarios, limits or runs: give another "+
					"--json FILE, or --fresh to replace it", file)
			case before != nil:
				before = comparable
				kept.Targets = slices.Clone(before.Targets)
			}
			o.Done = func(done *matrix.Outcome) error { // an interrupt must not lose finished targets
				kept.Put(done)
				reporting(c.OutOrStdout())
				return write(file, kept.JSON)
			}
			m, err := matrix.Run(c.Context(), targets, before, o)
			if m == nil {
				return err
			}
			err = errors.Join(err, m.Terminal(c.OutOrStdout()))
			if c.Context().Err() != nil {
				return fmt.Errorf("%w: %d of %d targets are kept in %s; run again to go on", context.Cause(c.Context()),
					len(m.Targets), len(targets), file)
			}
			for _, done := range m.Targets {
				kept.Put(done)
			}
			err = errors.Join(err, write(file, kept.JSON), write(markdown, func(w io.Writer) error {
				return m.Markdown(w,
					drawings(markdown, curves))
			}))
			err = errors.Join(err, write(html, func(w io.Writer) error { return page.Matrix(w, m, whole(m, o.Reports)) }))
			if names := untraced(m, o.Reports); html != "" && names != nil {
				say(c.OutOrStdout(), "%s has no traces of %s: measured before, and not kept with --reports; --fresh "+
					"measures again", html, strings.Join(names, ", "))
			}
			if curves != "" {
				err = errors.Join(err, m.Curves(curves))
			}
			for _, done := range m.Targets {
				if err == nil && len(done.Problems()) > 0 {
					err = errFailed
				}
			}
			return err
		},
	}
	t.addLimits(c)
	f := c.Flags()
	f.IntVarP(&o.Jobs, "jobs", "j", runtime.NumCPU(), "targets at the same time")
	f.IntVar(&o.Runs, "runs", 1, "runs of the catalogue per target, each on a new process; their verdicts are compared")
	f.StringVar(&file, "json", "matrix.json", "keep the matrix in `file`")
	f.StringVar(&markdown, "markdown", "", "write it as a page to `file`")
	f.StringVar(&html, "html", "", "write it as a heat map for a browser to `file`, with the traces of what is measured "+
		"now and of what --reports kept")
	f.StringVar(&o.Reports, "reports", "", "write the whole JSON report of each target's first run to this `folder`")
	f.StringVar(&curves, "svg", "", "draw the survival curves of each target's stops in this `folder`")
	addSelection(c, &selection)
	f.BoolVar(&fresh, "fresh", false, "measure what the JSON file holds, too")
	c.AddCommand(installCommand())
	return c
}

// drawings returns the path of the folder relative to the page in the file.
func drawings(file, folder string) string {
	if folder == "" {
		return ""
	}
	if relative, err := filepath.Rel(filepath.Dir(file), folder); err == nil {
		return relative
	}
	return folder
}

// whole returns a function that finds the report of a target: from this run, or from the folder.
func whole(m *matrix.Matrix, folder string) func(target string) *reports.Report {
	return func(target string) *reports.Report {
		for _, o := range m.Targets {
			if o.Name == target && o.First != nil {
				return o.First
			}
		}
		if folder == "" {
			return nil
		}
		r, err := readReport(filepath.Join(folder, target+".json"))
		if err != nil {
			return nil // the page then shows only what the matrix contains
		}
		return r
	}
}

// untraced returns the targets for which whole finds no report.
func untraced(m *matrix.Matrix, folder string) (out []string) {
	find := whole(m, folder)
	for _, o := range m.Targets {
		if o.Error == "" && find(o.Name) == nil {
			out = append(out, o.Name)
		}
	}
	return out
}

func readMatrix(file string) (*matrix.Matrix, error) {
	f, err := input.Open(file, input.Report)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := matrix.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: give another --json FILE", file, err)
	}
	return m, nil
}

func installCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install FOLDER...",
		Short: "Run the install command of each folder's target.yaml, and tell what could not be installed",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			targets, err := matrix.Load(args...)
			if err != nil {
				return err
			}
			failed := 0
			for _, t := range targets {
				if err := t.Prepare(c.Context()); err != nil {
					if c.Context().Err() != nil {
						return err
					}
					failed++
					say(c.OutOrStdout(), "not installed  %s: %s", t.Name, err)
					if t.Packages != "" {
						say(c.OutOrStdout(), "               it needs the packages %s", t.Packages)
					}
					continue
				}
				say(c.OutOrStdout(), "installed      %s %s", t.Name, t.Version)
			}
			if failed > 0 {
				return errFailed
			}
			return nil
		},
	}
}

func say(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, reports.OneLine(fmt.Sprintf(format, args...)))
}
