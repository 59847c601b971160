package harness

import (
	"strings"
	"testing"

	"github.com/finwait/finwait/peers"
)

func TestWhoEndsTCP(t *testing.T) {
	for _, c := range []struct {
		name, server, answeredBy string
		sought                   bool
		want                     string // the end of the note; empty: there is none
	}{
		{"a published port", "127.0.0.1:80", "", true, "it may end TCP itself"},
		{"nobody was asked", "127.0.0.1:80", "", false, ""},
		{"far away", "192.0.2.1:80", "", true,
			"(its response has no Server or Via header): whether a proxy is in between cannot be told from here"},
		{"a proxy that names itself", "192.0.2.1:80", "Via: 1.1 shop", false, "(its response has Via: 1.1 shop): a proxy has passed it on"},
		{"a server with a name", "[2001:db8::1]:80", "Server: nginx", false,
			"(its response has Server: nginx): whether a proxy is in between cannot be told from here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(whoEndsTCP(&peers.Record{Server: c.server, AnsweredBy: c.answeredBy}, c.sought), "\n")
			if (got == "") != (c.want == "") || !strings.HasSuffix(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}
