// Package peers is what a client does on the wire: scripts of steps over a raw
// WebSocket connection, and the recorded trace of what the server did.
//
// A peer reads the server's bytes all the time, dates every frame, FIN and RST
// with the monotonic clock, and judges nothing: rules live in package harness.
// It never retries, never reconnects, and never restarts a deadline because a
// byte came: what a script waits for is bounded by one instant, the trigger
// plus the patience.
//
// Where nobody observes the server's socket, a [Probe] finds out once whether the server's process
// still holds it; [Record.Looks] has what the wire tells of that.
package peers
