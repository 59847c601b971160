//go:build race

package harness_test

// slower is how much longer a flooded run may take: the race detector makes finwait,
// which has to take in all of it, several times slower.
const slower = 4
