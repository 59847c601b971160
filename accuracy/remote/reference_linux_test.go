package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/lab"
	"github.com/finwait/finwait/internal/quiet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(new(quiet.Machine).Tests(m)) }

// A small part of the bench, on the reference server: without a fault, and with one that
// keeps its sockets.
func TestReferenceServer(t *testing.T) {
	lab.New(t, lab.Options{Loopback: true}) // it skips the test where there can be none
	o := options{
		only: list{"linger/*", "peer-close/code-1000", "server-close/ignores", "violation/unmasked/ignores", "abnormal/vanish-idle"},
		jobs: 2, most: 20, flags: list{"--patience=5s"},
	}
	var out strings.Builder
	if err := check(t.Context(), &out, o, []string{"reference", "reference/never-fin"}); err != nil {
		t.Error(err)
	}
	t.Log(out.String())
}
