package main

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/internal/input"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
)

// give sets a setting to a value from the file or the environment. taken says that the command
// uses the setting: then a file that the value names must exist. The error says what to give
// instead. The caller puts the setting's name before it.
func give(f *pflag.Flag, text string, taken bool) error {
	if w, ok := f.Value.(scenarios.WeightFlag); ok { // each rule has its own weight, so the flag is never set as a whole
		return w.SetDefault(text)
	}
	if err := f.Value.Set(text); err != nil {
		return fmt.Errorf("%.40q is %s", text, cmp.Or(map[string]string{
			"bool":     "neither true nor false",
			"int":      "no whole number: give one such as 10",
			"intSlice": "no close code: give one such as 1012, or a list",
			"code":     "no close code: give one from 0 to 65535, or null",
		}[f.Value.Type()], err.Error()))
	}
	switch f.Name {
	case "only", "skip":
		_, err := scenarios.Selection{Only: []string{text}}.Apply(scenarios.All())
		return err
	case "label":
		_, err := scenarios.Selection{Labels: []string{text}}.Apply(scenarios.All())
		return err
	case "header":
		_, _, err := flags.Header(text)
		return err
	case "origin", "subprotocol":
		return headerValue(text)
	case "stop-signal":
		_, err := stopSignal(text)
		return err
	case "shutdown-code":
		codes, _ := f.Value.(pflag.SliceValue) // it has been read
		for _, text := range codes.GetSlice() {
			n, _ := strconv.Atoi(text)
			if err := closeCode(n); err != nil {
				return err
			}
		}
	case "crowd", "repeat":
		n, _ := strconv.Atoi(f.Value.String()) // it has been read
		return within(n, 1, mostAtOnce)
	case "at-once", "max-connections":
		n, _ := strconv.Atoi(f.Value.String())
		return within(n, 0, mostPeers)
	case "witnesses":
		n, _ := strconv.Atoi(f.Value.String())
		return within(n, 1, mostWitnesses)
	case "ca":
		if taken && text != "" {
			_, err := flags.Authorities(text)
			return err
		}
	case "cert", "key":
		if taken && text != "" {
			_, err := input.Read(text, input.Keys)
			return err
		}
	case "junit", "json", "markdown", "html":
		if taken && text != "" {
			return reports.CheckWritable(text)
		}
	}
	return nil
}

// mostAtOnce is the largest crowd that is connected when a server is stopped, and the largest
// number of repeats of a scenario.
const mostAtOnce = 1000

// within returns an error if a number is too small or too large.
func within(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%d: give a number from %d to %d", n, least, most)
	}
	return nil
}
