package rules

import (
	"testing"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// TestOfEach: one peer of the crowd that breaks a rule is enough, and those that
// it does not apply to do not count.
func TestOfEach(t *testing.T) {
	told := func(code int) *harness.Record {
		return &harness.Record{
			Record: &peers.Record{CloseSent: []peers.Close{closeFrame(0, peers.CloseFrame(4001, ""))}},
			Events: harness.AppEvents{Asked: true, List: []harness.AppEvent{{Code: &code}}},
		}
	}
	silent := &harness.Record{Record: &peers.Record{}, Events: told(1006).Events}
	for _, c := range []struct {
		name  string
		crowd []*harness.Record
		want  harness.Outcome
		got   string
	}{
		{"all right", []*harness.Record{told(4001), silent, told(4001)}, harness.Kept, "2 of 3: code 4001"},
		{"one wrong", []*harness.Record{told(4001), silent, told(1000)}, harness.Breached, "1 of 3: code 1000"},
		{"none that closed", []*harness.Record{silent}, harness.Moot, "1 of 1: the peer sent no Close frame"},
	} {
		f := ofEach(EventCode).Check(&harness.Record{Crowd: c.crowd}, harness.Profile{})
		if f.Outcome != c.want || f.Got != c.got {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, f.Outcome, f.Got, c.want, c.got)
		}
	}
}
