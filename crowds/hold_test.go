package crowds

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/peers"
)

// Where the census failed, sockets that were held still are censored then, and
// the report has a note.
func TestLostSight(t *testing.T) {
	const s = time.Second
	run := &Run{Started: time.Now(), Members: []peers.Member{{Trigger: s, Released: 2 * s, StoppedAt: 9 * s}, {Trigger: s, StoppedAt: 9 * s}, {Trigger: 5 * s, StoppedAt: 9 * s}}}
	run.lostSight(time.Time{}, nil)
	if len(run.Notes) > 0 || run.Members[1].StoppedAt != 9*s {
		t.Errorf("%+v", run)
	}
	run.lostSight(run.Started.Add(3*s), errors.New("netlink receive: no such device"))
	for i, want := range []time.Duration{9 * s, 3 * s, 5 * s} {
		if got := run.Members[i].StoppedAt; got != want {
			t.Errorf("member %d: until %s, want %s", i, got, want)
		}
	}
	if len(run.Notes) != 1 || !strings.Contains(run.Notes[0], "until 3.00 s after the beginning only: netlink receive: no such device") {
		t.Errorf("%q", run.Notes)
	}
}

// Where the census failed before any peer was triggered, the report is of the wire.
func TestLostSightBefore(t *testing.T) {
	const s = time.Second
	run := &Run{Started: time.Now(), Observed: true, Members: []peers.Member{{Trigger: 4 * s, StoppedAt: 9 * s}}}
	run.lostSight(run.Started.Add(3*s), errors.New("netlink receive: no such device"))
	if run.Observed || run.Members[0].StoppedAt != 9*s || len(run.Notes) != 1 || run.Notes[0] != "server sockets are not observed: netlink receive: no such device" {
		t.Errorf("%+v", run)
	}
}
