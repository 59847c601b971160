package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// Who connects during the stop is judged from its own connecting, however late
// that was.
func TestLatecomer(t *testing.T) {
	profile := harness.Profile{Response: 500 * time.Millisecond}
	for _, c := range []struct {
		name             string
		connected, ended time.Duration
		want             harness.Outcome
	}{
		{"at once", 20 * time.Millisecond, 21 * time.Millisecond, harness.Kept},
		{"late, and cut at once", 2 * time.Second, 2001 * time.Millisecond, harness.Kept},
		{"early, and cut late", 20 * time.Millisecond, time.Second, harness.Breached},
	} {
		never := &harness.Record{Kind: harness.Connecting, Record: &peers.Record{CutShort: peers.Script{peers.Knock{}}, Ending: peers.Open}}
		cut := &harness.Record{Kind: "connecting", Record: &peers.Record{Connected: &c.connected, Ending: peers.RST, EndedAt: c.ended}}
		if f := NoneForgotten.Check(&harness.Record{Crowd: []*harness.Record{cut, never}}, profile); f.Outcome != c.want {
			t.Errorf("%s: %s, %s", c.name, f.Outcome, f.Got)
		}
	}
}

// A life whose end is not known exactly breaks a limit only if its earliest possible
// end does; finwait may not have looked for a while.
func TestEarliestEnd(t *testing.T) {
	profile := harness.Profile{CloseTimeout: time.Second} // 2.2 s with its tolerance
	for _, c := range []struct {
		held harness.Survival
		want harness.Outcome
	}{
		{harness.Survival{Until: 2 * time.Second}, harness.Kept},
		{harness.Survival{Until: 3 * time.Second, Bound: time.Second}, harness.Kept},
		{harness.Survival{Until: 3 * time.Second, Bound: time.Millisecond}, harness.Breached},
		{harness.Survival{Until: 3 * time.Second, Censored: true}, harness.Breached},
	} {
		r := &harness.Record{Record: &peers.Record{}, Socket: harness.Socket{Observed: true, Held: c.held}}
		if f := LetsGoOfDead.Check(r, profile); f.Outcome != c.want {
			t.Errorf("%+v: %s, %s", c.held, f.Outcome, f.Got)
		}
		if f := CrowdReleased.Check(&harness.Record{Crowd: []*harness.Record{r}}, profile); f.Outcome != c.want {
			t.Errorf("a crowd, %+v: %s, %s", c.held, f.Outcome, f.Got)
		}
	}
}

// An event is not dated later than the answer that has it.
func TestEventOfTheFuture(t *testing.T) {
	start := time.Now()
	at := start.Add(time.Hour)
	r := &harness.Record{Record: &peers.Record{Trigger: start}, Socket: harness.Socket{Observed: true}}
	r.Events = harness.AppEvents{Asked: true, Came: start.Add(time.Second), List: []harness.AppEvent{{At: &at}}}
	if f := EventInTime.Check(r, harness.Profile{CloseTimeout: time.Second}); f.Outcome != harness.Moot {
		t.Errorf("%s, %s", f.Outcome, f.Got)
	}
}

// What a dark peer, or one that has ended its own side, could not see is not
// measured, and so not breached.
func TestNotSeen(t *testing.T) {
	bye := closeFrame(0, peers.CloseFrame(1000, ""))
	blind := func(closes ...peers.Close) *harness.Record {
		return &harness.Record{Record: &peers.Record{Ending: peers.Unseen, Closes: closes, CloseSent: []peers.Close{bye}}, Has: map[harness.Capability]bool{harness.ChosenCode: true}}
	}
	for _, c := range []struct {
		rule   harness.Rule
		record *harness.Record
	}{
		{Answered, blind()}, {ClosesTCP, blind(bye)}, {ClosesFirst, blind(bye)}, {EndsAfterFIN, blind()}, {FailsClosed, blind()},
		{SendsCode(1000, ""), blind()}, {MessageFirst, blind()},
	} {
		if f := c.rule.Check(c.record, harness.Profile{}); f.Outcome != harness.Unmeasured || f.Missing != harness.Sight {
			t.Errorf("%s: %s, %s", c.rule.ID, f.Outcome, f.Got)
		}
	}
}

// No event until finwait gave up breaks the limit of the event, and says nothing
// about how many events there are.
func TestNoEventUntilGivingUp(t *testing.T) {
	profile := harness.Profile{CloseTimeout: time.Second}
	for _, c := range []struct {
		name          string
		gaveUp        bool
		stopped       time.Duration
		inTime, count harness.Outcome
	}{
		{"after the limit", true, time.Minute, harness.Breached, harness.Moot},
		{"before the limit", true, time.Second, harness.Moot, harness.Moot},
		{"the server ended it", false, time.Minute, harness.Moot, harness.Breached},
	} {
		r := &harness.Record{Record: &peers.Record{GaveUp: c.gaveUp, Stopped: c.stopped, Ending: peers.FIN}, Events: harness.AppEvents{Asked: true}}
		if f := EventInTime.Check(r, profile); f.Outcome != c.inTime {
			t.Errorf("%s: R26 %s, %s", c.name, f.Outcome, f.Got)
		}
		if f := OneEvent.Check(r, profile); f.Outcome != c.count {
			t.Errorf("%s: R25 %s, %s", c.name, f.Outcome, f.Got)
		}
	}
}
