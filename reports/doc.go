// Package reports shows a run to people and machines. [New] makes one model of a run, the
// JSON report; JUnit, the terminal's text, Markdown, the page, a diff and a matrix are
// made from the model, be it new or read from a file. The package judges nothing, and
// treats every string of a server as hostile.
package reports
