package harness_test

import "testing"

func mkfifo(t *testing.T, _ string) { t.Skip("needs named pipes in the file system, and sh") }
