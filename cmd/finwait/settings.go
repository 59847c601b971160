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

// give gives a setting a value of the file or the environment. Taken: the command
// uses it, so that what it names has to be there. The error says what to give
// instead, and is to stand behind the setting's name.
func give(f *pflag.Flag, text string, taken bool) error {
	if w, ok := f.Value.(scenarios.WeightFlag); ok { // the weight of each rule is a setting of its own
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
	case "at-once":
		n, _ := strconv.Atoi(f.Value.String())
		return within(n, 0, mostPeers)
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

// mostAtOnce is how many peers a stop's crowd has at most, and how often a scenario
// is repeated.
const mostAtOnce = 1000

// within tells that a number is too small or too large.
func within(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%d: give a number from %d to %d", n, least, most)
	}
	return nil
}
