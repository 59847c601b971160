package main

import (
	"testing"

	"github.com/finwait/finwait/peers"
)

// The place that rounding down leaves is for the largest remainder.
func TestMixed(t *testing.T) {
	list, err := mixed("polite=34,ignores=33,vanishes=33", 10)
	if err != nil {
		t.Fatal(err)
	}
	n := map[peers.Kind]int{}
	for _, kind := range list {
		n[kind]++
	}
	if n[peers.Polite] != 4 || n[peers.Ignores] != 3 || n[peers.Vanishes] != 3 {
		t.Error(n)
	}
}
