//go:build !linux && !darwin && !windows

package peers

func unacked(uintptr) (int, error) { return 0, unsupported("ask for what is not acknowledged") }
