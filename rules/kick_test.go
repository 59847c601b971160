package rules

import (
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// TestOfEach: one peer of the crowd that breaks a rule is enough, and those that
// it does not apply to do not count.
func TestOfEach(t *testing.T) {
	told := func(code int) *evidence.Record {
		return &evidence.Record{
			Record: &peers.Record{CloseSent: []peers.Close{closeFrame(0, peers.CloseFrame(4001, ""))}},
			Events: evidence.AppEvents{Asked: true, List: []evidence.AppEvent{{Code: &code}}},
		}
	}
	silent := &evidence.Record{Record: &peers.Record{}, Events: told(1006).Events}
	for _, c := range []struct {
		name  string
		crowd []*evidence.Record
		want  Outcome
		got   string
	}{
		{"all right", []*evidence.Record{told(4001), silent, told(4001)}, Kept, "2 of 3: code 4001"},
		{"one wrong", []*evidence.Record{told(4001), silent, told(1000)}, Breached, "1 of 3: code 1000"},
		{"none that closed", []*evidence.Record{silent}, Moot, "1 of 1: the peer sent no Close frame"},
	} {
		f := ofEach(EventCode).Check(&evidence.Record{Crowd: c.crowd}, Profile{})
		if f.Outcome != c.want || f.Got != c.got {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, f.Outcome, f.Got, c.want, c.got)
		}
	}
}
