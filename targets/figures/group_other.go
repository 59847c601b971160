//go:build !unix

package main

import "os/exec"

// ownGroup changes nothing here: Cancel kills the process alone.
func ownGroup(*exec.Cmd) {}
