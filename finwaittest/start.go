package finwaittest

import (
	"cmp"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/finwait/finwait/servers"
)

// By these variables a test binary knows that it is to be the server of the test with
// that name, at that address.
const (
	testVariable    = "FINWAITTEST_SERVER"
	addressVariable = "FINWAITTEST_ADDRESS"
)

// served names the test whose server this process is, and its address; empty: it is
// none.
func served() (test, address string) { return os.Getenv(testVariable), os.Getenv(addressVariable) }

// process starts this test binary again as the server of the test.
func process(p *servers.Process, test string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	levels := strings.Split(test, "/")
	for i, level := range levels {
		levels[i] = "^" + regexp.QuoteMeta(level) + "$"
	}
	p.Args = []string{program, "-test.run=" + strings.Join(levels, "/"), "-test.count=1"}
	if testing.Short() {
		p.Args = append(p.Args, "-test.short")
	}
	// The flags of the user's own; those of go test would write over its files.
	p.Args = append(p.Args, slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(strings.TrimLeft(arg, "-"), "test.")
	})...)
	p.Env = []string{testVariable + "=" + test, addressVariable + "=" + servers.Loopback(),
		// The race detector would hold the exit up by a second, which would count.
		"GORACE=" + strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")}
	return nil
}

// serve is the server until it is asked to stop, and ends the test.
func (s Server) serve(t *testing.T, address string) {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), cmp.Or[os.Signal](s.StopSignal, syscall.SIGTERM))
	defer stop()
	if err := s.Start(ctx, address); err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Fatalf("finwaittest: Start failed: %v", err)
	}
	t.SkipNow()
}
