//go:build !race

package harness_test

const slower = 1
