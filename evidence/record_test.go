package evidence

import (
	"reflect"
	"testing"
	"time"

	"github.com/finwait/finwait/peers"
)

// A socket that was seen to be gone after the exit was let go of by then. One that was
// certainly held longer was not held by this process.
func TestClip(t *testing.T) {
	const ms = time.Millisecond
	trigger := time.Now()
	member := func(after, until, bound time.Duration, censored bool) *Record {
		held := Survival{Until: until, Bound: bound, Censored: censored}
		return &Record{Record: &peers.Record{Trigger: trigger.Add(after)}, Socket: Socket{Observed: true, Held: held}}
	}
	r := member(0, 7*ms, 5*ms, false)
	r.Exit = &Exit{Observed: true, At: 4 * ms, Gone: 5 * ms}
	r.Crowd = []*Record{member(2*ms, 9*ms, 8*ms, false), member(0, 9*ms, 3*ms, false), member(0, 9*ms, 0, true), member(0, 3*ms, ms, false)}
	r.ClipToExit()
	for i, want := range []Survival{
		{5 * ms, 3 * ms, false}, {3 * ms, 2 * ms, false}, {9 * ms, 3 * ms, false}, {9 * ms, 0, true}, {3 * ms, ms, false},
	} {
		if got := append([]*Record{r}, r.Crowd...)[i].Socket.Held; got != want {
			t.Errorf("%d: %+v, want %+v", i, got, want)
		}
	}
}

// TestNoFieldIsHidden: a field that the record has itself hides one of that name that
// the peer's record has, and whoever reads it gets the wrong one.
func TestNoFieldIsHidden(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[peers.Record]()) {
		if visible, _ := reflect.TypeFor[Record]().FieldByName(field.Name); len(visible.Index) < 2 {
			t.Errorf("the field %s of the peer's record is hidden", field.Name)
		}
	}
}
