//go:build unix

package matrix

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a start command started ends with it: the pipe that only the child
// holds comes to its end.
func TestStopEndsTheChildren(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	script := "#!/bin/sh\n(echo listening; exec sleep 60) 3>pipe &\nwait\n"
	if err := os.WriteFile(filepath.Join(dir, "start"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := (&Target{Start: "sh start", dir: dir}).start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.stop()
	if err := held.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(held); err != nil {
		t.Errorf("the child still runs: %v", err)
	}
}
