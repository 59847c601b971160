// Package harness runs scenarios against a server, and judges by rules what was
// seen. [Start] begins a run; [Batch] delivers its results as they come.
//
// All scenarios of a run are played at the same time, as far as they do not disturb each
// other, and every wait is bounded by an absolute deadline. The package prints nothing and
// does not end the calling process.
//
// Inside, an endpoint is one server and the way to reach it, a player plays a scenario on an
// endpoint and judges the record, a schedule decides when each scenario is played, a serverPool
// holds the servers that finwait starts, and a board holds the results.
package harness
