package crowds

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/peers"
)

// TestCensorAt: sockets that were held when the census failed are censored at that moment,
// and the report has a note.
func TestCensorAt(t *testing.T) {
	const s = time.Second
	run := &Run{Started: time.Now(), Members: []peers.Member{
		{Trigger: s, Released: 2 * s, StoppedAt: 9 * s},
		{Trigger: s, StoppedAt: 9 * s},
		{Trigger: 5 * s, StoppedAt: 9 * s},
	}}
	run.censorAt(time.Time{}, nil)
	if len(run.Notes) > 0 || run.Members[1].StoppedAt != 9*s {
		t.Errorf("%+v", run)
	}
	run.censorAt(run.Started.Add(3*s), errors.New("netlink receive: no such device"))
	for i, want := range []time.Duration{9 * s, 3 * s, 5 * s} {
		if got := run.Members[i].StoppedAt; got != want {
			t.Errorf("member %d: until %s, want %s", i, got, want)
		}
	}
	const note = "until 3.00 s after the beginning only: netlink receive: no such device"
	if len(run.Notes) != 1 || !strings.Contains(run.Notes[0], note) {
		t.Errorf("%q", run.Notes)
	}
}

// TestCensorBeforeTrigger: if the census failed before any peer was triggered, the run counts
// as not observed.
func TestCensorBeforeTrigger(t *testing.T) {
	const s = time.Second
	run := &Run{Started: time.Now(), Observed: true, Members: []peers.Member{{Trigger: 4 * s, StoppedAt: 9 * s}}}
	run.censorAt(run.Started.Add(3*s), errors.New("netlink receive: no such device"))
	note := "server sockets are not observed: netlink receive: no such device"
	if run.Observed || run.Members[0].StoppedAt != 9*s || !slices.Equal(run.Notes, []string{note}) {
		t.Errorf("%+v", run)
	}
}
