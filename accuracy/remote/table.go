package main

import (
	"errors"
	"fmt"
	"io"
)

const row = "%-32s %9s %14s %6s %6s %6s %6s %7s %6s %8s %8s\n"

func printHeader(w io.Writer) {
	fmt.Fprintf(w, row, "", "", "", "socket", "rules", "", "", "inter-", "", "wall", "time")
	fmt.Fprintf(w, row, "target", "scenarios", "contradictions", "beside", "across", "hidden", "share", "vals ok", "missed",
		"beside", "across")
}

// printRow prints the target's line of the table.
func (c *comparison) printRow(w io.Writer) {
	if c.err != nil {
		fmt.Fprintf(w, "%-32s not carried out: %v\n", c.name, c.err)
		return
	}
	fmt.Fprintf(w, row, c.name, fmt.Sprint(c.scenarios), fmt.Sprint(len(c.contradictions)), fmt.Sprint(c.judgedBeside),
		fmt.Sprint(c.judgedAcross), fmt.Sprint(c.hidden), fmt.Sprintf("%.0f%%", 100*c.share()), fmt.Sprint(c.contain),
		fmt.Sprint(len(c.misses)),
		fmt.Sprintf("%.1f s", c.beside.wall.Seconds()), fmt.Sprintf("%.1f s", c.across.wall.Seconds()))
}

// share is the part of the socket rules judged beside the server that were judged across, without
// those that are hidden from the wire.
func (c *comparison) share() float64 {
	if c.judgedBeside == c.hidden {
		return 1
	}
	return float64(c.judgedAcross) / float64(c.judgedBeside-c.hidden)
}

// summary prints what was missed, a line each, of one kind and target at most so many. It returns
// errMissed if anything was.
func summary(w io.Writer, all []*comparison, most int) error {
	var missed, failed bool
	for _, c := range all {
		if failed = failed || c.err != nil; c.err != nil {
			continue
		}
		few := grouped(c.unjudged)
		if c.share() >= leastShare {
			few = nil
		}
		for _, part := range []struct {
			what  string
			lines []string
			fine  bool // no limit is missed
		}{
			{"verdicts that contradict", c.contradictions, false}, {"intervals that miss", c.misses, false},
			{"too slow", c.slow, false}, {"socket rules that are judged beside only, which are too many", few, false},
			{"carried out beside only", c.errored, true},
		} {
			if len(part.lines) == 0 {
				continue
			}
			missed = missed || !part.fine
			fmt.Fprintf(w, "\n%s: %s\n", c.name, part.what)
			for i, line := range part.lines {
				if i == most {
					fmt.Fprintf(w, "  … and %d more\n", len(part.lines)-most)
					break
				}
				fmt.Fprintf(w, "  %s\n", line)
			}
		}
	}
	switch {
	case failed:
		return errors.New("a target was not measured")
	case missed:
		return errMissed
	}
	fmt.Fprintln(w, "\nno verdict contradicts, every interval contains the kernel's figure")
	return nil
}
