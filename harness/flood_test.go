package harness_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
)

// A server that says much is not taken for one that can do less.
func TestCapabilitiesBehindManyMessages(t *testing.T) {
	t.Parallel()
	s := &contractServer{
		hello: everything,
		lie: func(s *contractServer, c net.Conn, name, _ string) bool {
			if name == "hello" {
				_, _ = c.Write(slices.Concat(text("finwait:hello"), joined, text(s.hello)))
			}
			return name == "hello"
		},
		reads: func(_ *contractServer, c net.Conn, data []byte) bool {
			_, _ = c.Write(append(slices.Clip(joined), ws.MustCompileFrame(ws.NewBinaryFrame(data))...))
			return true
		},
	}
	run := startOne(t, serveContract(t, s), "server-close/code-3000").Wait()
	if r := run.Results[0]; !run.Has[evidence.CanClose] || !run.Has[evidence.Echo] || r.Verdict == harness.Skip {
		t.Errorf("has %v, %s %s", run.Has, r.Verdict, r.Err)
	}
}

// A long answer is judged as a short one; what is too long to be read is an error that
// says so.
func TestLongAnswers(t *testing.T) {
	list := func(n int) string { return "[" + strings.Repeat(`{"code":1006},`, n-1) + `{"code":1006}]` }
	for _, c := range []struct {
		events  int
		verdict harness.Verdict
		err     string
		got     string // of R25
	}{
		{6_000, harness.Fail, "", "6000 close events"},
		{80_000, harness.Errored, "and finwait reads 1048576 of an answer", ""},
	} {
		t.Run(fmt.Sprint(c.events), func(t *testing.T) {
			t.Parallel()
			seen := 0
			s := &contractServer{hello: everything, lie: func(s *contractServer, c2 net.Conn, name, args string) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				if name != "events" || len(s.events[args]) == 0 {
					return false
				}
				if seen++; seen <= 2 { // the trial of the contract
					return false
				}
				_ = wsutil.WriteServerText(c2, []byte(list(c.events)))
				return true
			}}
			r := startOne(t, serveContract(t, s), "abnormal/fin").Wait().Results[0]
			if r.Verdict != c.verdict || !strings.Contains(r.Err,
				c.err) || !strings.Contains(outcomes(r)["R25"].Got, c.got) {
				t.Errorf("%s %s, %s", r.Verdict, r.Err, outcomes(r)["R25"].Got)
			}
		})
	}
}
