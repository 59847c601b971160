// Package harness runs scripted peers against a target, observes what becomes
// of their connections, and judges the records by rules.
//
// All scenarios of a batch run at the same time; every wait is bounded by an
// absolute deadline. The package prints nothing and ends no process.
package harness
