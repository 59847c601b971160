package servers

import (
	"regexp"
	"slices"
	"strings"
)

// shellWords are the shell's own (POSIX, XCU 2.4, 2.9.1.1 and 2.14, and what bash
// adds): exec finds no program for them, or another one than the shell means.
var shellWords = strings.Fields(`! { } [[ case do done elif else esac fi for function if in select then time until while
	. : break continue eval exec exit export readonly return set shift times trap unset
	alias bg bind builtin caller cd command compgen complete declare dirs disown enable fc fg getopts hash history jobs
	let local logout mapfile newgrp popd pushd read shopt source suspend type typeset ulimit umask unalias wait`)

// value is a part of an assignment's value, or of a redirection's file: the shell does not
// split what a variable there holds.
const value = "(?:[^\\s`$]|\\$[A-Za-z_][A-Za-z0-9_]*|\\$\\{[A-Za-z_][A-Za-z0-9_]*\\})"

var (
	// quoted is what the shell takes as it is, or as one word, or leaves out: a comment, and
	// a backslash with a line break.
	quoted = regexp.MustCompile("(?s:'[^']*'|\"(?:[^\"`$\\\\]|\\\\.|\\$[^(\"])*\"|\\\\.)|(?:^|[ \t])#[^\n]*")
	// broken is a word that may go on in the next line.
	broken = regexp.MustCompile(`[^ \t]\\\n`)
	// duplicate is a redirection to a file that is open already, such as 2>&1.
	duplicate = regexp.MustCompile(`[<>]&`)
	// before is what may stand before the name of a simple command.
	before = regexp.MustCompile("^(?:(?:[A-Za-z_][A-Za-z0-9_]*=|[0-9]*(?:[<>]&?|>>|<>)[ \t]*" + value + ")" + value + "*[ \t]+)*")
)

// direct lets a simple command (POSIX, XCU 2.9.1) take the shell's place, so that a
// signal is for the server and not for a shell before it. Every other line stays as
// it is.
func direct(line string) string {
	line = strings.TrimSpace(line)
	// Of the same length, so that what is found there stands at the same place in line.
	plain := quoted.ReplaceAllStringFunc(line, func(q string) string {
		if q == "\\\n" || strings.HasPrefix(strings.TrimLeft(q, " \t"), "#") {
			return strings.Repeat(" ", len(q))
		}
		return strings.Repeat("q", len(q))
	})
	start := len(before.FindString(plain))
	name, _, _ := strings.Cut(strings.ReplaceAll(plain[start:], "\t", " "), " ")
	switch {
	case strings.ContainsAny(duplicate.ReplaceAllString(plain, ">"), "|&;()\n\"'"), strings.Contains(plain, "<<"):
		return line // more than a simple command, or a quotation that was not understood
	case name == "", strings.ContainsAny(name, "=<>#"), slices.Contains(shellWords, name):
		return line
	case broken.MatchString(line[:min(len(line), start+len(name)+len("\\\n"))]):
		return line
	}
	return line[:start] + "exec " + line[start:]
}
