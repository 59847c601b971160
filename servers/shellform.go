package servers

import (
	"regexp"
	"slices"
	"strings"
)

// shellWords are reserved words and built-in commands of the shell (POSIX, XCU 2.4, 2.9.1.1
// and 2.14, and those of bash). exec finds no program of that name, or another one than the
// shell means.
var shellWords = strings.Fields(`! { } [[ case do done elif else esac fi for function if in select then time until while
	. : break continue eval exec exit export readonly return set shift times trap unset
	alias bg bind builtin caller cd command compgen complete declare dirs disown enable fc fg getopts hash history
	jobs
	let local logout mapfile newgrp popd pushd read shopt source suspend type typeset ulimit umask unalias wait`)

// value matches one part of the value of an assignment, or of the file name of a redirection.
// A variable may stand there, because the shell does not split its value.
const value = "(?:[^\\s`$]|\\$[A-Za-z_][A-Za-z0-9_]*|\\$\\{[A-Za-z_][A-Za-z0-9_]*\\})"

var (
	// quoted matches a quotation, an escaped character or a comment. A backslash before a line
	// break is an escaped character that the shell leaves out.
	quoted = regexp.MustCompile("(?s:'[^']*'|\"(?:[^\"`$\\\\]|\\\\.|\\$[^(\"])*\"|\\\\.)|(?:^|[ \t])#[^\n]*")
	// continuedWord matches the end of a line whose last word may go on in the next line.
	continuedWord = regexp.MustCompile(`[^ \t]\\\n`)
	// duplication matches a redirection to a descriptor that is open already, such as 2>&1.
	duplication = regexp.MustCompile(`[<>]&`)
	// prefix matches the assignments and redirections that may stand before the name of a
	// simple command.
	prefix = regexp.MustCompile("^(?:(?:[A-Za-z_][A-Za-z0-9_]*=|[0-9]*(?:[<>]&?|>>|<>)[ \t]*" + value + ")" +
		value + "*[ \t]+)*")
)

// withExec puts exec before the name of a simple command (POSIX, XCU 2.9.1), so that a signal
// reaches the server and not a shell that waits for it. It does not change any other line.
func withExec(line string) string {
	line = strings.TrimSpace(line)
	// plain has the length of line, so that offsets in it are valid in line too.
	plain := quoted.ReplaceAllStringFunc(line, func(q string) string {
		if q == "\\\n" || strings.HasPrefix(strings.TrimLeft(q, " \t"), "#") {
			return strings.Repeat(" ", len(q))
		}
		return strings.Repeat("q", len(q))
	})
	start := len(prefix.FindString(plain))
	name, _, _ := strings.Cut(strings.ReplaceAll(plain[start:], "\t", " "), " ")
	switch {
	case strings.ContainsAny(duplication.ReplaceAllString(plain, ">"), "|&;()\n\"'"), strings.Contains(plain, "<<"):
		return line // not a simple command, or a quotation that the patterns do not cover
	case name == "", strings.ContainsAny(name, "=<>#"), slices.Contains(shellWords, name):
		return line
	case continuedWord.MatchString(line[:min(len(line), start+len(name)+len("\\\n"))]):
		return line
	}
	return line[:start] + "exec " + line[start:]
}
