package finwaittest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/finwait/finwait/finwaittest"
)

// echo is the handler under test.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		message, kind, err := wsutil.ReadClientData(conn)
		if err != nil {
			return
		}
		if err := wsutil.WriteServerMessage(conn, kind, message); err != nil {
			return
		}
	}
}

// A handler of this package is served on a loopback port.
func ExampleRun_handler() {
	var t *testing.T // of func TestClosing(t *testing.T)

	finwaittest.Run(t, finwaittest.Server{
		Handler:      http.HandlerFunc(echo),
		CloseTimeout: 5 * time.Second,
	})
}
