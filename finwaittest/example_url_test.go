package finwaittest_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/finwait/finwait/finwaittest"
)

// A server that is running already is tested by its URL. This server requires a login.
func ExampleRun_url() {
	var t *testing.T // of func TestStaging(t *testing.T)

	finwaittest.Run(t, finwaittest.Server{
		URL:    "wss://staging.example.org/socket",
		Header: http.Header{"Authorization": {"Bearer " + os.Getenv("STAGING_TOKEN")}},
		Skip:   []string{"abnormal", "linger/no-ack-of-fin"},
		Rules:  map[string]string{"R36": "off"},
	})
}
