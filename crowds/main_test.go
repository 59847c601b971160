package crowds_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/finwait/finwait/internal/quiet"
)

// TestMain lets the tests wait side by side.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(new(quiet.Machine).Tests(m))
}
