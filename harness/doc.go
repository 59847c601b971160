// Package harness runs scenarios against a server, and judges by rules what was
// seen. [Start] begins a run; [Batch] gives its results as they come.
//
// All scenarios of a run are played at the same time; every wait is bounded by an
// absolute deadline. The package prints nothing and ends no process.
//
// Inside, an endpoint is one server as it is reached, a player plays a scenario on an
// endpoint and judges the record, a schedule says when each is played, and a board is
// where the results come to stand.
package harness
