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

// These environment variables tell a test binary that it is to be a server: the first has the
// name of the test that describes the server, and the second the address to listen on.
const (
	testVariable    = "FINWAITTEST_SERVER"
	addressVariable = "FINWAITTEST_ADDRESS"
)

// served returns the test whose server this process is, and the address of that server. Both
// are empty if this process is no server.
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
	// Only the flags that the tests define: those of go test would overwrite its output files.
	p.Args = append(p.Args, slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(strings.TrimLeft(arg, "-"), "test.")
	})...)
	p.Env = []string{testVariable + "=" + test, addressVariable + "=" + servers.Loopback(),
		// The race detector would delay the exit by 1 s, and finwait would measure that.
		"GORACE=" + strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")}
	return nil
}

// serve runs the server until it is asked to stop, and then ends the test.
func (s Server) serve(t *testing.T, address string) {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), cmp.Or[os.Signal](s.StopSignal, syscall.SIGTERM))
	defer stop()
	if err := s.Start(ctx, address); err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Fatalf("finwaittest: Start failed: %v", err)
	}
	t.SkipNow()
}
